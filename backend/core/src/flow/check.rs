//! The order of the steps of a check.

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
    /// Call Plivo to check the code, once; then [`CheckFlow::called`].
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
    /// Plivo decided, and the check is settled.
    Settled(Settlement),
    /// The check has to wait. Nothing was counted.
    Wait(Wait),
    /// The session accepts no check.
    Over(SessionOver),
    /// The request was made before.
    Repeated(Repetition),
    /// The call failed, and Plivo did not decide.
    Failed(UpstreamOutcome),
    /// The store failed before Plivo was called.
    NotReserved,
    /// The store failed after Plivo decided: the result is unknown.
    Unsettled,
}

/// A check in progress.
pub struct CheckFlow {
    rules: Arc<SessionRules>,
    reservation: Option<Arc<CheckReservation>>,
    /// How the call to Plivo failed.
    failure: UpstreamOutcome,
}

impl CheckFlow {
    /// A flow for this reservation, which is to be run first; then [`Self::reserved`].
    pub fn new(reserve: &ReserveCheck) -> Self {
        Self {
            rules: reserve.rules.clone(),
            reservation: None,
            failure: UpstreamOutcome::InvalidResponse,
        }
    }

    /// Handles the result of the reservation.
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

    /// Handles Plivo's response. `proof` is the whole answer to a success, signed in
    /// advance and sealed with its request; `destination` is where the session's codes
    /// went; `failed` makes the answer to a failure, to be stored for a repetition.
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
                    // A rejection of the code without a known reason is a wrong code; a
                    // success without Plivo's message is none.
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

    /// Handles the result of the settlement.
    pub fn settled<E>(&mut self, outcome: Result<Settlement, E>) -> CheckStep {
        let settled = outcome.map(CheckEnd::Settled);
        CheckStep::Finish(settled.unwrap_or(CheckEnd::Unsettled))
    }

    /// Handles the result of the release. If the store failed, the check stays counted,
    /// and the caller gets Plivo's failure all the same.
    pub fn released<E>(&mut self, _: Result<(), E>) -> CheckStep {
        CheckStep::Finish(CheckEnd::Failed(self.failure))
    }

    /// Handles the result of storing the answer. If the store failed, a repetition is
    /// told that the answer is lost.
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
