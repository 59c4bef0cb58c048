//! The order of a check.

use std::sync::Arc;

use crate::{
    AfterCheck, Answer, Destination, Repetition, Sealed, SessionOver, SessionRules, Settlement,
    UpstreamOutcome, Verdict, Wait,
    transitions::{
        CheckReservation, KeepAnswer, ReleaseCheck, ReserveCheck, Reserved, SettleCheck,
    },
};

/// What to do next.
pub enum CheckStep {
    /// Ask Plivo about the code, once; then [`CheckFlow::called`].
    Call(Arc<CheckReservation>),
    /// Run this, then [`CheckFlow::settled`].
    Settle(SettleCheck),
    /// Run this, then [`CheckFlow::released`].
    Release(ReleaseCheck),
    /// Run this, then [`CheckFlow::kept`].
    KeepAnswer(KeepAnswer),
    /// Nothing more.
    Finish(CheckEnd),
}

/// How a check ended.
#[derive(Debug)]
pub enum CheckEnd {
    /// Plivo decided, and it is settled.
    Settled(Settlement),
    /// Not now. Nothing was counted.
    Wait(Wait),
    /// The session takes no check.
    Over(SessionOver),
    /// The request was made before.
    Repeated(Repetition),
    /// Plivo did not decide.
    Failed(UpstreamOutcome),
    /// The store failed before Plivo was asked.
    NotReserved,
    /// The store failed after Plivo decided: how it ended is not known.
    Unsettled,
}

/// A check under way.
pub struct CheckFlow {
    rules: Arc<SessionRules>,
    reservation: Option<Arc<CheckReservation>>,
    /// How Plivo failed.
    failure: UpstreamOutcome,
}

impl CheckFlow {
    /// The flow of that reservation, which is to be run first; then
    /// [`Self::reserved`].
    pub fn new(reserve: &ReserveCheck) -> Self {
        Self {
            rules: reserve.rules.clone(),
            reservation: None,
            failure: UpstreamOutcome::InvalidResponse,
        }
    }

    /// The reservation ended so.
    pub fn reserved<E>(&mut self, outcome: Result<Reserved<CheckReservation>, E>) -> CheckStep {
        CheckStep::Finish(match outcome {
            Ok(Reserved::Reserved(reservation)) => {
                let reservation = Arc::new(reservation);
                self.reservation = Some(reservation.clone());
                return CheckStep::Call(reservation);
            }
            Ok(Reserved::Wait(wait)) => CheckEnd::Wait(wait),
            Ok(Reserved::Over(over)) => CheckEnd::Over(over),
            Ok(Reserved::Repeated(repetition)) => CheckEnd::Repeated(repetition),
            Err(_) => CheckEnd::NotReserved,
        })
    }

    /// Plivo answered so. `proof` is the whole answer of a success, signed before and
    /// sealed with its request; `destination` is where the session's codes went;
    /// `failed` is what the caller hears of a failure, to be kept for a repetition.
    pub fn called(
        &mut self,
        outcome: Result<Verdict, UpstreamOutcome>,
        proof: Option<Sealed>,
        destination: Destination,
        failed: impl FnOnce(UpstreamOutcome) -> Answer,
    ) -> CheckStep {
        let reservation = self.reservation.clone();
        let reservation = reservation.expect("Plivo is called after the reservation");
        let rules = self.rules.clone();
        let verdict = match outcome {
            Ok(verdict) => verdict,
            Err(ended) => {
                self.failure = ended;
                match ended.after_check() {
                    AfterCheck::Release => {
                        return CheckStep::Release(ReleaseCheck { reservation, rules });
                    }
                    AfterCheck::LeaveCounted => return self.keep(&reservation, failed),
                    // A no about the code without one of its kinds is a wrong code; a
                    // yes without Plivo's words is none.
                    AfterCheck::Settle => Verdict::Incorrect,
                }
            }
        };
        CheckStep::Settle(SettleCheck {
            reservation,
            verdict,
            proof: proof.filter(|_| verdict == Verdict::Accepted),
            destination,
            rules,
        })
    }

    /// The settlement ended so.
    pub fn settled<E>(&mut self, outcome: Result<Settlement, E>) -> CheckStep {
        let settled = outcome.map(CheckEnd::Settled);
        CheckStep::Finish(settled.unwrap_or(CheckEnd::Unsettled))
    }

    /// The release ended so. Where the store failed it stays counted, and the caller
    /// hears of Plivo's failure all the same.
    pub fn released<E>(&mut self, _: Result<(), E>) -> CheckStep {
        CheckStep::Finish(CheckEnd::Failed(self.failure))
    }

    /// The answer is kept, or the store failed: then a repetition hears that it is
    /// lost.
    pub fn kept<E>(&mut self, _: Result<(), E>) -> CheckStep {
        CheckStep::Finish(CheckEnd::Failed(self.failure))
    }

    fn keep(
        &self,
        reservation: &CheckReservation,
        failed: impl FnOnce(UpstreamOutcome) -> Answer,
    ) -> CheckStep {
        match reservation.claim() {
            Some((claim, claimed_at)) => CheckStep::KeepAnswer(KeepAnswer {
                claim: claim.clone(),
                claimed_at,
                answer: failed(self.failure),
            }),
            None => CheckStep::Finish(CheckEnd::Failed(self.failure)),
        }
    }
}
