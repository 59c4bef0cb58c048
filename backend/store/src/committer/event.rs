use std::time::Instant;

use countersign_core::Key;

use super::Member;
use crate::store::{Commit, CommitOutcome, Snapshot, StoreError, Unavailable};

/// What happened.
pub enum Event {
    /// A transition wants to be committed before its deadline.
    Submitted {
        /// The transition.
        member: Box<dyn Member>,
        /// From then on its caller is gone.
        deadline: Instant,
    },
    /// What [`Command::Load`] has brought.
    Loaded(Result<Snapshot, Unavailable>),
    /// How [`Command::Commit`] ended.
    Committed(CommitOutcome),
    /// The moment of [`Command::WakeAt`] has come.
    Woken,
}

/// What to do.
pub enum Command {
    /// Load these rows; nothing else is under way.
    Load(Vec<Key>),
    /// Commit; nothing else is under way.
    Commit {
        /// What to commit.
        commit: Commit,
        /// Members that it carries; none where it only takes the turn.
        members: usize,
    },
    /// Tell a member's caller.
    Answer(Box<dyn Member>, Result<(), StoreError>),
    /// Send [`Event::Woken`] at that moment.
    WakeAt(Instant),
}
