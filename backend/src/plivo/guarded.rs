//! The client of Plivo behind what keeps a bad day there from becoming one here:
//! a bound on the calls under way, a breaker, a deadline, and few repetitions.

use std::{
    num::NonZeroU16,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use countersign_shared::OneTimeCode;
use tokio::time::{Instant, sleep};

use super::{
    Answered, Create, PlivoClient, PlivoError, RejectionHint, Retrieved, UpstreamStatus,
    Validation,
    breaker::{Breaker, Ticket, Verdict},
    places::{Place, Places},
    retry::{self, Budget},
    verdict::UnexpectedTexts,
};
use crate::metrics::{BreakerState, Metrics, Rule, UpstreamCall, UpstreamOutcome};
use countersign_platform::clock::Clock;

/// One call with all its tries. Plivo's own SDKs give it 5 to 10 seconds
/// (reference: SDK behaviour).
const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// How a delivery goes is nothing to wait long for.
const RETRIEVE_TIMEOUT: Duration = Duration::from_secs(3);
/// After that long nothing is tried once more: the rest is for the answer.
const LAST_TRY: Duration = Duration::from_secs(5);

/// Asks Plivo, within bounds.
pub struct GuardedPlivo {
    client: PlivoClient,
    places: Places,
    breaker: Mutex<Breaker>,
    budget: Mutex<Budget>,
    unexpected: UnexpectedTexts,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl GuardedPlivo {
    /// With so many calls under way at most.
    pub fn new(
        client: PlivoClient,
        at_once: NonZeroU16,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            client,
            places: Places::new(at_once),
            breaker: Mutex::new(Breaker::new()),
            budget: Mutex::new(Budget::new()),
            unexpected: UnexpectedTexts::default(),
            clock,
            metrics,
        }
    }

    /// Whether such a call would be made now, without making one. Asked before
    /// anything is reserved, so that a refusal costs next to nothing.
    pub fn look(&self, call: UpstreamCall) -> Result<(), PlivoError> {
        if !self.places.has_room(call) {
            return Err(self.refuse_full());
        }
        let looked = self.breaker().look(self.clock.now());
        looked.map_err(|retry_after| self.refuse_open(retry_after))
    }

    /// See [`PlivoClient::create`].
    pub async fn create(&self, create: &Create<'_>) -> Result<String, PlivoError> {
        let (asked, ask) = (UpstreamCall::Create, |left| {
            self.client.create(create, left)
        });
        self.call(asked, CALL_TIMEOUT, |_| UpstreamOutcome::Done, ask)
            .await
    }

    /// Checks a code. Where Plivo answers neither its success nor a refusal, its
    /// session is retrieved once, which can only say no.
    pub async fn validate(
        &self,
        upstream_id: &str,
        otp: &OneTimeCode,
    ) -> Result<Validation, PlivoError> {
        let outcome = |answered: &Answered| match answered {
            Answered::Decided(Validation::Accepted) => UpstreamOutcome::Done,
            Answered::Decided(Validation::Rejected(_)) => UpstreamOutcome::Declined,
            Answered::Unexpected { .. } => UpstreamOutcome::Unexpected,
        };
        let asked = UpstreamCall::Validate;
        let answered = self.call(asked, CALL_TIMEOUT, outcome, |left| {
            self.client.validate(upstream_id, otp, left)
        });
        let (status, body) = match answered.await? {
            Answered::Decided(validation) => return Ok(validation),
            Answered::Unexpected { status, body } => (status, body),
        };
        self.unexpected.log(status, &body);
        match self.retrieve(upstream_id).await?.status {
            UpstreamStatus::InProgress => Ok(Validation::Rejected(RejectionHint::Incorrect)),
            UpstreamStatus::Expired => Ok(Validation::Rejected(RejectionHint::CodeDead)),
            UpstreamStatus::Other => Err(PlivoError::Nonsense),
        }
    }

    /// See [`PlivoClient::retrieve`].
    pub async fn retrieve(&self, upstream_id: &str) -> Result<Retrieved, PlivoError> {
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
        let leave = self.leave(call)?;
        let started = Instant::now();
        let _under_way = self.metrics.upstream_call(call);
        let answer = self.tried(started, timeout, ask).await;
        let outcome = answer.as_ref().map_or_else(PlivoError::outcome, outcome);
        self.metrics
            .upstream_ended(call, outcome, started.elapsed());
        leave.settle(outcome);
        if let Err(PlivoError::Throttled {
            retry_after: Some(wait),
        }) = answer
        {
            self.breaker().pause(wait, self.clock.now());
            log::warn!(event = "upstream.paused", seconds = wait.as_secs(); "Plivo throttles");
        }
        answer
    }

    /// Asks once, and again where no connection came about.
    async fn tried<T, A: Future<Output = Result<T, PlivoError>>>(
        &self,
        started: Instant,
        timeout: Duration,
        ask: impl Fn(Duration) -> A,
    ) -> Result<T, PlivoError> {
        self.budget().earn();
        let mut tries = 1;
        loop {
            let answer = ask(timeout.saturating_sub(started.elapsed())).await;
            let again = matches!(answer, Err(PlivoError::Unreachable))
                && tries < retry::MOST_TRIES
                && started.elapsed() < LAST_TRY.min(timeout)
                && self.budget().spend();
            if !again {
                return answer;
            }
            self.metrics.upstream_retried();
            sleep(retry::wait_after(tries)).await;
            tries += 1;
        }
    }

    /// A place and the breaker's leave, or why there is none.
    fn leave(&self, call: UpstreamCall) -> Result<Leave<'_>, PlivoError> {
        let place = self.places.take(call);
        let place = place.ok_or_else(|| self.refuse_full())?;
        let admitted = self.change_breaker(Breaker::admit);
        let ticket = admitted.map_err(|retry_after| self.refuse_open(retry_after))?;
        Ok(Leave {
            guarded: self,
            ticket,
            verdict: Verdict::Unknown,
            _place: place,
        })
    }

    /// Does something to the breaker, and says so where it made a difference.
    fn change_breaker<T>(
        &self,
        change: impl FnOnce(&mut Breaker, std::time::SystemTime) -> T,
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
                    log::warn!(event = "upstream.breaker", state = "open"; "Plivo is not asked for a while");
                }
                BreakerState::HalfOpen => {
                    log::info!(event = "upstream.breaker", state = "half_open"; "Plivo is tried by one call");
                }
                BreakerState::Closed => {
                    log::info!(event = "upstream.breaker", state = "closed"; "Plivo is asked again");
                }
            }
        }
        changed
    }

    fn refuse_full(&self) -> PlivoError {
        self.metrics.refused(Rule::UpstreamFull);
        PlivoError::Full
    }

    fn refuse_open(&self, retry_after: Duration) -> PlivoError {
        self.metrics.refused(Rule::UpstreamBreaker);
        PlivoError::NotAsked { retry_after }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The leave for one call. A call that nobody waits for any more ends here too.
struct Leave<'a> {
    guarded: &'a GuardedPlivo,
    ticket: Ticket,
    verdict: Verdict,
    _place: Place,
}

impl Leave<'_> {
    fn settle(mut self, outcome: UpstreamOutcome) {
        self.verdict = match outcome {
            UpstreamOutcome::Done
            | UpstreamOutcome::Declined
            // Or whoever types wrong codes could open the breaker.
            | UpstreamOutcome::Unexpected
            | UpstreamOutcome::Refused
            | UpstreamOutcome::Throttled => Verdict::Worked,
            UpstreamOutcome::Failed
            | UpstreamOutcome::Nonsense
            | UpstreamOutcome::Timeout
            | UpstreamOutcome::Broken
            | UpstreamOutcome::Unreachable => Verdict::Failed,
        };
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let (ticket, verdict) = (&self.ticket, self.verdict);
        self.guarded
            .change_breaker(|breaker, now| breaker.settle(ticket, verdict, now));
    }
}
