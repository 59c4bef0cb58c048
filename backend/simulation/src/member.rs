//! A transition that waits in a committer, and the box its answer falls into.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use countersign_core::{
    Charged, Key, Rows, Settlement, Transition, Unreadable,
    transitions::{
        CallbackOutcome, CheckReservation, Poll, Recorded, RecordedAttempts, Reserved,
        SendReservation,
    },
};
use countersign_store::{StoreError, committer::Member};

/// What a step answers.
#[derive(Debug)]
pub(crate) enum Outcome {
    ReservedSend(Reserved<SendReservation>),
    ReservedCheck(Reserved<CheckReservation>),
    Recorded(Recorded),
    Settled(Settlement),
    /// Released, or an answer kept.
    Done,
    Callback(CallbackOutcome),
    Polled(Poll),
    Attempts(RecordedAttempts),
    Charged(Vec<Charged>),
}

/// How a step ended.
pub(crate) type Answered = Result<Outcome, StoreError>;

/// Answers that were given since they were last looked at, each with its request.
#[derive(Clone, Default)]
pub(crate) struct Outbox(Arc<Mutex<Vec<(u64, Answered)>>>);

impl Outbox {
    pub(crate) fn take(&self) -> Vec<(u64, Answered)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, request: u64, answer: Answered) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push((request, answer));
    }
}

/// Set once nobody waits for a step any more.
#[derive(Clone, Default)]
pub(crate) struct Abandoned(Arc<AtomicBool>);

impl Abandoned {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A step of one request.
pub(crate) struct SimMember<T: Transition> {
    pub(crate) step: T,
    pub(crate) outcome: Option<T::Outcome>,
    pub(crate) wrap: fn(T::Outcome) -> Outcome,
    pub(crate) request: u64,
    pub(crate) outbox: Outbox,
    pub(crate) abandoned: Abandoned,
}

impl<T: Transition> Member for SimMember<T> {
    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        self.step.keys(rows)
    }

    fn apply(&mut self, rows: &mut Rows<'_>) -> Result<(), Unreadable> {
        self.outcome = None;
        self.outcome = Some(self.step.apply(rows)?);
        Ok(())
    }

    fn guards_single_use(&self) -> bool {
        self.step.guards_single_use()
    }

    fn is_abandoned(&self) -> bool {
        self.abandoned.0.load(Ordering::Relaxed)
    }

    fn answer(self: Box<Self>, result: Result<(), StoreError>) {
        if self.is_abandoned() {
            return;
        }
        let Self {
            outcome,
            wrap,
            request,
            outbox,
            ..
        } = *self;
        let outcome = result.and_then(|()| outcome.ok_or(StoreError::Faulty));
        outbox.put(request, outcome.map(wrap));
    }
}
