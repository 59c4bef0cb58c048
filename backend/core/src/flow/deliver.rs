//! The order of the steps of a send and of a resend.

use std::sync::Arc;

use crate::{
    AfterSend, Answer, Key, NewSession, QueuedCharge, Repetition, Rows, SentAnswer, Session,
    SessionOver, SessionRules, Transition, Unreadable, Upstream, UpstreamOutcome, Wait,
    transitions::{
        CloseSend, KeepAnswer, RecordResent, RecordSent, Recorded, ReleaseSend, ReserveResend,
        ReserveSend, Reserved, SendReservation,
    },
};

/// The reservation of a send or a resend.
pub enum Reserve {
    /// The first code of a new session.
    Send(ReserveSend),
    /// A resend in an existing session.
    Resend(ReserveResend),
}

impl Transition for Reserve {
    type Outcome = Reserved<SendReservation>;

    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        match self {
            Self::Send(step) => step.keys(rows),
            Self::Resend(step) => step.keys(rows),
        }
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable> {
        match self {
            Self::Send(step) => step.apply(rows),
            Self::Resend(step) => step.apply(rows),
        }
    }
}

/// The record of a send or a resend that Plivo took.
pub struct Record {
    step: RecordStep,
    /// The code, where its charges are to be collected: queued in the same commit.
    pub charge: Option<QueuedCharge>,
}

enum RecordStep {
    Sent(RecordSent),
    Resent(RecordResent),
}

impl Transition for Record {
    type Outcome = Recorded;

    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let mut keys = match &self.step {
            RecordStep::Sent(step) => step.keys(rows),
            RecordStep::Resent(step) => step.keys(rows),
        }?;
        keys.extend(self.charge.as_ref().map(|charge| charge.row.clone()));
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable> {
        let recorded = match &self.step {
            RecordStep::Sent(step) => step.apply(rows),
            RecordStep::Resent(step) => step.apply(rows),
        }?;
        // Also where the session ended meanwhile: the code went out all the same.
        let is_nonsense = matches!(recorded, Recorded::OtherRecipient);
        if let Some(charge) = self.charge.as_ref().filter(|_| !is_nonsense) {
            charge.save(rows);
        }
        Ok(recorded)
    }
}

/// What to do next.
pub enum DeliverStep {
    /// Call Plivo to deliver a code, once; then [`DeliverFlow::called`].
    Call(Arc<SendReservation>),
    /// Run this, then [`DeliverFlow::recorded`].
    Record(Record),
    /// Run this, then [`DeliverFlow::released`].
    Release(ReleaseSend),
    /// Run this, then [`DeliverFlow::kept`].
    Close(CloseSend),
    /// Run this, then [`DeliverFlow::kept`].
    KeepAnswer(KeepAnswer),
    /// Nothing more.
    Finish(DeliverEnd),
}

/// How a send or resend ended.
#[derive(Debug)]
pub enum DeliverEnd {
    /// The code was sent.
    Sent {
        /// The session.
        session: Session,
        /// The answer, also to a repetition.
        answer: SentAnswer,
    },
    /// The send has to wait. Nothing was counted.
    Wait(Wait),
    /// The session accepts no resend.
    Over(SessionOver),
    /// The request was made before.
    Repeated(Repetition),
    /// The call failed, or Plivo did not accept the send.
    Failed(UpstreamOutcome),
    /// The store failed before Plivo was called.
    NotReserved,
    /// The store failed after Plivo accepted the send: the result is unknown.
    Unsettled,
}

/// A send or resend in progress.
pub struct DeliverFlow {
    /// The session that a send creates.
    new: Option<NewSession>,
    rules: Arc<SessionRules>,
    reservation: Option<Arc<SendReservation>>,
    /// How the call to Plivo failed.
    failure: UpstreamOutcome,
}

impl DeliverFlow {
    /// A flow for this reservation, which is to be run first; then [`Self::reserved`].
    pub fn new(reserve: &Reserve) -> Self {
        let (new, rules) = match reserve {
            Reserve::Send(step) => (Some(step.new.clone()), &step.rules),
            Reserve::Resend(step) => (None, &step.rules),
        };
        Self {
            new,
            rules: rules.clone(),
            reservation: None,
            failure: UpstreamOutcome::InvalidResponse,
        }
    }

    /// Handles the result of the reservation.
    pub fn reserved<E>(&mut self, outcome: Result<Reserved<SendReservation>, E>) -> DeliverStep {
        DeliverStep::Finish(match outcome {
            Ok(Reserved::Reserved(reservation)) => {
                let reservation = Arc::new(reservation);
                self.reservation = Some(reservation.clone());
                return DeliverStep::Call(reservation);
            }
            Ok(Reserved::Wait(wait)) => DeliverEnd::Wait(wait),
            Ok(Reserved::Over(over)) => DeliverEnd::Over(over),
            Ok(Reserved::Repeated(repetition)) => DeliverEnd::Repeated(repetition),
            Err(_) => DeliverEnd::NotReserved,
        })
    }

    /// Handles Plivo's response. `failed` makes the answer to a failure, to be stored for
    /// a repetition.
    pub fn called(
        &mut self,
        outcome: Result<Upstream, UpstreamOutcome>,
        failed: impl FnOnce(UpstreamOutcome) -> Answer,
    ) -> DeliverStep {
        let reservation = self.held();
        let rules = self.rules.clone();
        let ended = outcome.as_ref().err().copied();
        let ended = ended.unwrap_or(UpstreamOutcome::Done);
        self.failure = ended;
        match (ended.after_send(), outcome) {
            (AfterSend::Record, Ok(upstream)) => DeliverStep::Record(Record {
                step: match &self.new {
                    Some(new) => RecordStep::Sent(RecordSent {
                        new: new.clone(),
                        upstream,
                        reservation,
                        rules,
                    }),
                    None => RecordStep::Resent(RecordResent {
                        upstream,
                        reservation,
                        rules,
                    }),
                },
                charge: None,
            }),
            (AfterSend::Release, _) => DeliverStep::Release(ReleaseSend { reservation, rules }),
            (AfterSend::Close, _) => DeliverStep::Close(CloseSend {
                answer: reservation.claim().map(|_| failed(ended)),
                may_retry: ended.is_temporary(),
                reservation,
                rules,
            }),
            (AfterSend::LeaveCounted | AfterSend::Record, _) => self.keep(failed),
        }
    }

    /// Handles the result of the record. `failed` as for [`Self::called`].
    pub fn recorded<E>(
        &mut self,
        outcome: Result<Recorded, E>,
        failed: impl FnOnce(UpstreamOutcome) -> Answer,
    ) -> DeliverStep {
        DeliverStep::Finish(match outcome {
            Ok(Recorded::Sent { session, answer }) => DeliverEnd::Sent { session, answer },
            Ok(Recorded::Over(over)) => DeliverEnd::Over(over),
            Ok(Recorded::OtherRecipient) => {
                self.failure = UpstreamOutcome::InvalidResponse;
                return self.keep(failed);
            }
            Err(_) => DeliverEnd::Unsettled,
        })
    }

    /// Handles the result of the release. If the store failed, the send stays counted,
    /// and the caller gets Plivo's failure all the same.
    pub fn released<E>(&mut self, _: Result<(), E>) -> DeliverStep {
        DeliverStep::Finish(DeliverEnd::Failed(self.failure))
    }

    /// Handles the result of closing the send, or of storing the answer. If the store
    /// failed, a repetition is told that the answer is lost.
    pub fn kept<E>(&mut self, _: Result<(), E>) -> DeliverStep {
        DeliverStep::Finish(DeliverEnd::Failed(self.failure))
    }

    fn held(&self) -> Arc<SendReservation> {
        let reservation = self.reservation.clone();
        reservation.expect("Plivo is called after the reservation")
    }

    fn keep(&self, failed: impl FnOnce(UpstreamOutcome) -> Answer) -> DeliverStep {
        let reservation = self.held();
        match reservation.claim() {
            Some((claim, claimed_at)) => DeliverStep::KeepAnswer(KeepAnswer {
                claim: claim.clone(),
                claimed_at,
                answer: failed(self.failure),
            }),
            None => DeliverStep::Finish(DeliverEnd::Failed(self.failure)),
        }
    }
}
