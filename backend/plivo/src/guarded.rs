//! The client of Plivo behind a bulkhead, a circuit breaker, a deadline and a retry budget,
//! so that an outage of Plivo does not become one of ours.

use std::{
    num::NonZeroU16,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use countersign_core::{RefusalRule, UpstreamOutcome, Verdict};
use countersign_metrics::{BreakerState, Metrics, UpstreamCall};
use countersign_platform::clock::Clock;
use countersign_shared::OneTimeCode;
use tokio::time::{Instant, sleep};

use crate::{
    Answered, Create, PlivoClient, PlivoError, Retrieved, UpstreamStatus,
    bulkhead::{Bulkhead, Permit},
    circuit_breaker::{CallHealth, CircuitBreaker, Ticket},
    error::THROTTLED_PAUSE,
    retry::{self, RetryBudget},
    verdict::UnexpectedTexts,
};

/// Deadline of one call with all its tries. Plivo's own SDKs give it 5 to 10 seconds
/// (reference: SDK behaviour).
const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// Delivery status is not worth a long wait.
const RETRIEVE_TIMEOUT: Duration = Duration::from_secs(3);
/// After that long no further try is made: the rest is for the answer.
const LAST_TRY: Duration = Duration::from_secs(5);

/// The guarded client.
pub struct GuardedPlivo {
    client: PlivoClient,
    bulkhead: Bulkhead,
    breaker: Mutex<CircuitBreaker>,
    retries: Mutex<RetryBudget>,
    unexpected: UnexpectedTexts,
    /// Whether Plivo refused our credentials in the last call.
    refused: AtomicBool,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

/// The permit of a step that may call Plivo, returned when dropped.
#[must_use = "the place is released when this is dropped"]
pub struct Admission {
    _permit: Permit,
}

impl GuardedPlivo {
    /// With at most `at_once` calls under way.
    pub fn new(
        client: PlivoClient,
        at_once: NonZeroU16,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            client,
            bulkhead: Bulkhead::new(at_once),
            breaker: Mutex::new(CircuitBreaker::new()),
            retries: Mutex::new(RetryBudget::new()),
            unexpected: UnexpectedTexts::default(),
            refused: AtomicBool::new(false),
            clock,
            metrics,
        }
    }

    /// Admits a step that will make such a call. Called before anything is reserved, so
    /// that a refusal costs next to nothing; the permit is held until the step has ended,
    /// so it also bounds the steps that wait for the store.
    pub fn admit(&self, call: UpstreamCall) -> Result<Admission, PlivoError> {
        let permit = self.bulkhead.try_acquire(call);
        let permit = permit.ok_or_else(|| self.refuse_full())?;
        let looked = self.breaker().look(self.clock.now());
        looked.map_err(|retry_after| self.refuse_open(retry_after))?;
        Ok(Admission { _permit: permit })
    }

    /// See [`PlivoClient::create`].
    pub async fn create(&self, _: &Admission, create: &Create<'_>) -> Result<String, PlivoError> {
        let (asked, ask) = (UpstreamCall::Create, |left| {
            self.client.create(create, left)
        });
        self.call(asked, CALL_TIMEOUT, |_| UpstreamOutcome::Done, ask)
            .await
    }

    /// Checks a code. If Plivo answers neither its success nor a refusal, its session is
    /// retrieved once, which can only refuse.
    pub async fn validate(
        &self,
        _: &Admission,
        upstream_id: &str,
        otp: &OneTimeCode,
    ) -> Result<Verdict, PlivoError> {
        let outcome = |answered: &Answered| match answered {
            Answered::Decided(Verdict::Accepted) => UpstreamOutcome::Done,
            // Otherwise wrong codes could open the circuit breaker.
            Answered::Decided(_) | Answered::Unexpected { .. } => UpstreamOutcome::Rejected,
        };
        let asked = UpstreamCall::Validate;
        let answered = self.call(asked, CALL_TIMEOUT, outcome, |left| {
            self.client.validate(upstream_id, otp, left)
        });
        let (status, body) = match answered.await? {
            Answered::Decided(verdict) => return Ok(verdict),
            Answered::Unexpected { status, body } => (status, body),
        };
        self.metrics.upstream_unexpected();
        self.unexpected.log(status, &body);
        match self.ask_session(upstream_id).await?.status {
            UpstreamStatus::InProgress => Ok(Verdict::Incorrect),
            UpstreamStatus::Expired => Ok(Verdict::CodeUsed),
            UpstreamStatus::Other => Err(PlivoError::InvalidResponse),
        }
    }

    /// See [`PlivoClient::retrieve`].
    pub async fn retrieve(&self, upstream_id: &str) -> Result<Retrieved, PlivoError> {
        let _admission = self.admit(UpstreamCall::Retrieve)?;
        self.ask_session(upstream_id).await
    }

    async fn ask_session(&self, upstream_id: &str) -> Result<Retrieved, PlivoError> {
        let ask = |left| self.client.retrieve(upstream_id, left);
        let asked = UpstreamCall::Retrieve;
        self.call(asked, RETRIEVE_TIMEOUT, |_| UpstreamOutcome::Done, ask)
            .await
    }

    async fn call<T, A: Future<Output = Result<T, PlivoError>>>(
        &self,
        call: UpstreamCall,
        timeout: Duration,
        outcome: impl Fn(&T) -> UpstreamOutcome,
        ask: impl Fn(Duration) -> A,
    ) -> Result<T, PlivoError> {
        let ticket = self.ticket()?;
        let started = Instant::now();
        let _under_way = self.metrics.upstream_call(call);
        let answer = self.tried(started, timeout, ask).await;
        let outcome = answer.as_ref().map_or_else(PlivoError::outcome, outcome);
        self.metrics
            .upstream_ended(call, outcome, started.elapsed());
        ticket.settle(outcome);
        self.note_credentials(&answer);
        if let Err(PlivoError::Throttled { retry_after }) = answer {
            let wait = retry_after.unwrap_or(THROTTLED_PAUSE);
            self.breaker().pause(wait, self.clock.now());
            log::warn!(event = "upstream.paused", seconds = wait.as_secs(); "Plivo throttles");
        }
        answer
    }

    /// Logs once that Plivo refuses our credentials, until it accepts them again.
    fn note_credentials<T>(&self, answer: &Result<T, PlivoError>) {
        let are_refused = match answer {
            Err(PlivoError::Refused { status: 401 }) => true,
            Ok(_) => false,
            Err(_) => return,
        };
        let were_refused = self.refused.swap(are_refused, Ordering::Relaxed);
        if are_refused && !were_refused {
            log::error!(
                event = "upstream.credentials_refused";
                "Plivo refuses PLIVO_AUTH_ID or PLIVO_AUTH_TOKEN: no code goes out"
            );
        }
    }

    /// Calls once, and again if no connection was made.
    async fn tried<T, A: Future<Output = Result<T, PlivoError>>>(
        &self,
        started: Instant,
        timeout: Duration,
        ask: impl Fn(Duration) -> A,
    ) -> Result<T, PlivoError> {
        self.retries().earn();
        let mut tries = 1;
        loop {
            let answer = ask(timeout.saturating_sub(started.elapsed())).await;
            let again = matches!(answer, Err(PlivoError::Unreachable))
                && tries < retry::MAX_TRIES
                && started.elapsed() < LAST_TRY.min(timeout)
                && self.retries().try_withdraw();
            if !again {
                return answer;
            }
            self.metrics.upstream_retried();
            sleep(retry::wait_after(tries)).await;
            tries += 1;
        }
    }

    /// A ticket of the circuit breaker, or why there is none.
    fn ticket(&self) -> Result<CallTicket<'_>, PlivoError> {
        let admitted = self.change_breaker(CircuitBreaker::admit);
        let ticket = admitted.map_err(|retry_after| self.refuse_open(retry_after))?;
        Ok(CallTicket {
            guarded: self,
            ticket,
            health: CallHealth::Unknown,
        })
    }

    /// Changes the breaker; logs and counts a change of state.
    fn change_breaker<T>(
        &self,
        change: impl FnOnce(&mut CircuitBreaker, std::time::SystemTime) -> T,
    ) -> T {
        let now = self.clock.now();
        let mut breaker = self.breaker();
        let before = breaker.state();
        let changed = change(&mut breaker, now);
        let state = breaker.state();
        if state != before {
            self.metrics.breaker_is(state);
            match state {
                BreakerState::Open => {
                    log::warn!(event = "circuit_breaker.opened"; "circuit breaker open: Plivo is not called");
                }
                BreakerState::HalfOpen => {
                    log::info!(event = "circuit_breaker.half_opened"; "circuit breaker half-open: one call is tried");
                }
                BreakerState::Closed => {
                    log::info!(event = "circuit_breaker.closed"; "circuit breaker closed: Plivo is called again");
                }
            }
        }
        changed
    }

    fn refuse_full(&self) -> PlivoError {
        self.metrics.refused(RefusalRule::BulkheadFull);
        PlivoError::Full
    }

    fn refuse_open(&self, retry_after: Duration) -> PlivoError {
        self.metrics.refused(RefusalRule::CircuitBreaker);
        PlivoError::NotAsked { retry_after }
    }

    fn breaker(&self) -> MutexGuard<'_, CircuitBreaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn retries(&self) -> MutexGuard<'_, RetryBudget> {
        self.retries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ticket for one upstream call. Dropping it, as cancellation does, settles the circuit
/// breaker too.
struct CallTicket<'a> {
    guarded: &'a GuardedPlivo,
    ticket: Ticket,
    health: CallHealth,
}

impl CallTicket<'_> {
    fn settle(mut self, outcome: UpstreamOutcome) {
        self.health = match outcome {
            UpstreamOutcome::Done
            | UpstreamOutcome::Rejected
            | UpstreamOutcome::Refused
            | UpstreamOutcome::Throttled => CallHealth::Worked,
            UpstreamOutcome::NotAsked => CallHealth::Unknown,
            UpstreamOutcome::Failed
            | UpstreamOutcome::InvalidResponse
            | UpstreamOutcome::Timeout
            | UpstreamOutcome::ConnectionReset
            | UpstreamOutcome::Unreachable => CallHealth::Failed,
        };
    }
}

impl Drop for CallTicket<'_> {
    fn drop(&mut self) {
        let (ticket, health) = (&self.ticket, self.health);
        self.guarded
            .change_breaker(|breaker, now| breaker.settle(ticket, health, now));
    }
}
