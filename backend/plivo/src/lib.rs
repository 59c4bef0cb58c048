//! The client of Plivo Verify, and the only crate that knows its JSON.
//!
//! Create and validate are never repeated: a create costs a message, a validate uses up one
//! of the ten that Plivo allows.

mod account;
mod bulkhead;
pub mod callback;
mod circuit_breaker;
mod client;
mod error;
mod guarded;
mod pricing;
mod retry;
pub mod signature;
mod verdict;
mod wire;

pub use self::{
    account::Account,
    client::{Answered, Create, IDLE_TIMEOUT, PlivoClient, Retrieved, UpstreamStatus},
    error::{PlivoError, THROTTLED_PAUSE},
    guarded::{Admission, GuardedPlivo},
    pricing::CountryPrices,
    verdict::{AcceptedMessages, SUCCESS},
};
