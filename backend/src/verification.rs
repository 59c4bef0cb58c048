//! A verification's steps over the store and Plivo: what is asked of whom, in which
//! order. The rules themselves stand in `countersign-core`, and nothing here adds one.
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
    introspect::Introspection,
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

/// How long a step of the store may take. A reservation that takes longer is refused
/// before Plivo is asked.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a verification is made of.
pub struct Parts {
    /// Where sessions and limits are kept.
    pub store: StoreHandle,
    /// Names and seals what is kept.
    pub keys: RowKeys,
    /// Who delivers and checks codes.
    pub plivo: GuardedPlivo,
    /// How one verification runs.
    pub rules: SessionRules,
    /// Whose codes they are.
    pub applications: ApplicationRegistry,
    /// Whom the operator blocks and allows.
    pub access_list: Option<AccessListFile>,
    /// Numbers that nothing is sent to.
    pub test_numbers: Option<TestNumbersFile>,
    /// How often codes are sent and tried.
    pub limits: Limits,
    /// What codes cost and may cost, if that is known.
    pub budget: Option<Budget>,
    /// How long decisions are kept, if they are.
    pub decisions_kept_for: Option<Duration>,
    /// Whether real charges are asked for of every session.
    pub collects_charges: bool,
    /// Signs what a verified number is worth.
    pub proofs: Arc<Proofs>,
    /// Where Plivo calls back, if the world can reach us.
    pub callbacks: Option<Callbacks>,
    /// What proofs are dated by.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Takes the steps of a verification.
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
    /// Puts the parts together.
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
            budget_alerts: BudgetAlerts::new(parts.budget.as_ref()),
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

    /// The rules in force.
    pub fn rules(&self) -> &SessionRules {
        &self.rules
    }

    /// Whether strangers are counted by their addresses.
    pub fn limits_strangers(&self) -> bool {
        !self.limits.checks_per_address.is_empty()
    }

    /// From here on the request's log lines say which number they are about.
    fn note_number(&self, number: &PhoneNumber) {
        logging::note("number", self.keys.number_tag(number));
    }

    /// The refusal of a step that has to wait. It logs which limit was hit, never
    /// whose.
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

/// Until when a step of the store that begins now may take.
fn store_deadline() -> std::time::Instant {
    (Instant::now() + STORE_TIMEOUT).into_std()
}

/// A moment as callers see it.
fn system_time(moment: Millis) -> std::time::SystemTime {
    moment.into()
}
