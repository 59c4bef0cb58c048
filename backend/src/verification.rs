//! The steps of a verification, over the store and Plivo: which is called when. The rules
//! are in `countersign-core`; nothing here adds one.
//!
//! Every step reserves in the store, then calls Plivo, then settles. What was
//! reserved is released only when the request certainly never left.

mod access;
mod answer;
mod applications;
mod attempts;
mod budget;
mod callback;
mod caller;
mod charge_collection;
mod charge_queue;
mod check;
mod contact;
mod daily_cost;
mod decisions;
mod deliver;
mod idempotency;
mod introspect;
mod page;
mod refusal;
mod resend;
mod row_keys;
mod send;
mod session;
mod test_numbers;

use std::{sync::Arc, time::Duration};

use countersign_core::{Budget, Limits, Millis, RefusalRule, SessionRules, Wait};
use countersign_metrics::Metrics;
use countersign_platform::clock::Clock;
use countersign_plivo::GuardedPlivo;
use countersign_shared::PhoneNumber;
use countersign_store::StoreHandle;
use tokio::time::Instant;

pub use self::{
    access::AccessListFile,
    answer::{Sent, Verified},
    applications::ApplicationRegistry,
    callback::{CallbackRefusal, Callbacks, log_refused},
    caller::{Caller, ClientKey, NamedEndUser, Requester},
    contact::Contact,
    idempotency::IdempotentRequest,
    introspect::{Introspection, Question},
    page::{BegunPage, PageView, WayBack},
    refusal::Refusal,
    row_keys::RowKeys,
    send::SendCommand,
    session::SessionView,
    test_numbers::TestNumbersFile,
};
use self::{
    attempts::PollInterval, budget::BudgetAlerts, charge_queue::ChargeQueue, daily_cost::DailyCost,
    decisions::DecisionLog, test_numbers::TestNumberUses,
};
use crate::{logging, proof::Proofs};

/// Timeout of a store step. A reservation that takes longer is refused before Plivo is
/// called.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// The parts of a verification.
pub struct Parts {
    /// The store.
    pub store: StoreHandle,
    /// Names and seals rows.
    pub keys: RowKeys,
    /// The client of Plivo.
    pub plivo: GuardedPlivo,
    /// Rules of a session.
    pub rules: SessionRules,
    /// The applications.
    pub applications: ApplicationRegistry,
    /// The access list.
    pub access_list: Option<AccessListFile>,
    /// The test numbers.
    pub test_numbers: Option<TestNumbersFile>,
    /// Limits on sends and checks.
    pub limits: Limits,
    /// Prices and spending caps, if configured.
    pub budget: Option<Budget>,
    /// How long decisions are stored, if they are.
    pub decisions_kept_for: Option<Duration>,
    /// Whether the real charges of every session are fetched.
    pub collects_charges: bool,
    /// Signs proofs.
    pub proofs: Arc<Proofs>,
    /// The callback URL, if there is a public one.
    pub callbacks: Option<Callbacks>,
    /// The clock that dates proofs.
    pub clock: Arc<dyn Clock>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

/// Runs the steps of a verification.
pub struct Verification {
    store: StoreHandle,
    keys: RowKeys,
    plivo: GuardedPlivo,
    rules: Arc<SessionRules>,
    applications: ApplicationRegistry,
    access_list: Option<AccessListFile>,
    test_numbers: Option<TestNumbersFile>,
    test_number_uses: TestNumberUses,
    /// The rules of sessions of test numbers.
    test_rules: Arc<SessionRules>,
    limits: Limits,
    budget: Option<Budget>,
    budget_alerts: BudgetAlerts,
    collects_charges: bool,
    charge_queue: ChargeQueue,
    daily_cost: DailyCost,
    decision_log: DecisionLog,
    proofs: Arc<Proofs>,
    callbacks: Option<Callbacks>,
    polling: PollInterval,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl Verification {
    /// Builds it from its parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            store: parts.store,
            keys: parts.keys,
            plivo: parts.plivo,
            applications: parts.applications,
            access_list: parts.access_list,
            test_numbers: parts.test_numbers,
            test_number_uses: TestNumberUses::default(),
            test_rules: Arc::new(test_numbers::rules(&parts.rules)),
            rules: Arc::new(parts.rules),
            limits: parts.limits,
            budget_alerts: BudgetAlerts::default(),
            budget: parts.budget,
            collects_charges: parts.collects_charges,
            charge_queue: ChargeQueue::new(),
            daily_cost: DailyCost::default(),
            decision_log: DecisionLog::new(parts.decisions_kept_for),
            proofs: parts.proofs,
            polling: PollInterval::new(parts.callbacks.is_some()),
            callbacks: parts.callbacks,
            clock: parts.clock,
            metrics: parts.metrics,
        }
    }

    /// The rules of a session.
    pub fn rules(&self) -> &SessionRules {
        &self.rules
    }

    /// Whether anonymous callers are limited by address.
    pub fn limits_strangers(&self) -> bool {
        !self.limits.checks_per_address.is_empty()
    }

    /// Adds the number's hash to the request's log context.
    fn note_number(&self, number: &PhoneNumber) {
        logging::note("number", self.keys.number_tag(number));
    }

    /// The refusal of a rate-limited step. Logs which limit was hit, never whose.
    fn must_wait(&self, wait: &Wait) -> Refusal {
        let rule = wait
            .limit
            .map_or(RefusalRule::ResendBackoff, RefusalRule::Limit);
        self.metrics.refused(rule);
        log::warn!(event = "rate_limit.hit", limit = rule.as_str(); "rate limit hit");
        Refusal::RateLimited {
            rule,
            retry_after: wait.announced(),
        }
    }
}

/// The deadline of a store step that begins now.
fn store_deadline() -> std::time::Instant {
    (Instant::now() + STORE_TIMEOUT).into_std()
}

/// A time in the API's format.
fn system_time(moment: Millis) -> std::time::SystemTime {
    moment.into()
}
