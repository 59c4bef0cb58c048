//! Outcomes of steps.

use countersign_core::{
    Charged, Settlement, Stop,
    transitions::{
        CallbackOutcome, CheckReservation, Poll, Recorded, RecordedAttempts, Reserved,
        SendReservation,
    },
};
use countersign_store::StoreError;

/// The outcome of a step.
#[derive(Debug)]
pub(crate) enum Outcome {
    ReservedSend(Reserved<SendReservation>),
    ReservedCheck(Reserved<CheckReservation>),
    Recorded(Recorded),
    Settled(Settlement),
    /// A release, or an answer stored.
    Done,
    Callback(CallbackOutcome),
    Polled(Poll),
    Attempts(RecordedAttempts),
    Charged(Vec<Charged>),
    /// What is stopped now.
    Stops(Vec<Stop>),
}

/// How a step ended.
pub(crate) type Answered = Result<Outcome, StoreError>;

/// Polls a step's answer: `None` until it has arrived. Dropping it abandons the step.
pub(crate) type Answer = Box<dyn FnMut() -> Option<Answered>>;
