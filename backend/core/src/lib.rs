//! The rules of a verification, written once, as pure functions.
//!
//! Each step of a verification is a [`Transition`]: it names the rows it reads and, given
//! those rows and the store's time, returns an outcome and changes rows. Nothing here
//! knows a database, a clock, a random source or an executor, so a step can be run again
//! after a conflict with another instance.
//!
//! Each concept has one module: [`rate_limit`], [`sliding_window`], [`conversion`],
//! [`session`], [`delivery`], [`charges`], [`idempotency`] and so on; [`transitions`]
//! combines them, one step per file, and [`flow`] defines the order of the steps.

pub mod access_list;
pub mod access_policy;
pub mod api_key;
pub mod application;
pub mod budget;
pub mod charge_queue;
pub mod charges;
pub mod conversion;
pub mod country;
mod date;
pub mod decisions;
pub mod delivery;
pub mod end_user;
pub mod flow;
pub mod idempotency;
pub mod keys;
mod known_number;
mod millis;
pub mod money;
mod number;
pub mod prices;
pub mod rate_limit;
pub mod recipient;
mod refusal_rule;
mod resend_backoff;
mod row;
mod run;
mod sealed;
pub mod session;
pub mod session_rules;
mod single_use;
pub mod sliding_window;
pub mod stops;
pub mod test_numbers;
mod transition;
pub mod transitions;
pub mod upstream_outcome;
pub mod upstream_session;

pub use self::{
    access_list::{Access, AccessList},
    access_policy::AccessPolicy,
    api_key::{ApiKey, KeyHash},
    application::{Application, ApplicationId, ApplicationKeys, Applications, Owner},
    budget::Budget,
    charge_queue::QueuedCharge,
    charges::{Charged, Charges},
    conversion::{ConversionRate, ConversionRule, Destination, LowConversion, TrippedBy},
    country::CountryCode,
    delivery::{AttemptUpdate, Delivery, DeliveryChange, UpstreamAttempt},
    end_user::EndUserKeys,
    idempotency::{Answer, IdempotencyClaim, Repetition, SentAnswer},
    millis::Millis,
    money::MicroDollars,
    prices::Prices,
    rate_limit::{CallerKeys, Limit, LimitCheck, Limits, Quota, SendKeys, Wait},
    recipient::{Recipient, RecipientError},
    refusal_rule::RefusalRule,
    row::{Key, Row, Unreadable},
    sealed::Sealed,
    session::{NewSession, Session, SessionOver},
    session_rules::SessionRules,
    sliding_window::Use,
    stops::{Route, Stop},
    test_numbers::TestNumbers,
    transition::{Rows, StoredRow, Transition, Write},
    transitions::{SendLimits, Settlement},
    upstream_outcome::{AfterCheck, AfterSend, UpstreamOutcome, Verdict},
    upstream_session::Upstream,
};
