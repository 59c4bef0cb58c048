use std::time::Instant;

use countersign_core::Key;

use super::Member;
use crate::store::{Commit, CommitOutcome, Snapshot, StoreError, Unavailable};

/// Input of the committer.
pub enum Event {
    /// A transition to be committed before its deadline.
    Submitted {
        /// The transition.
        member: Box<dyn Member>,
        /// When its caller stops waiting.
        deadline: Instant,
    },
    /// Result of [`Command::Load`].
    Loaded(Result<Snapshot, Unavailable>),
    /// Result of [`Command::Commit`].
    Committed(CommitOutcome),
    /// The moment of [`Command::WakeAt`] has come.
    Woken,
}

/// Output of the committer.
pub enum Command {
    /// Load these rows; nothing else is in progress.
    Load(Vec<Key>),
    /// Commit; nothing else is in progress.
    Commit {
        /// What to commit.
        commit: Commit,
        /// Number of its members; 0 if it only takes the turn.
        members: usize,
    },
    /// Answer a member's caller.
    Answer(Box<dyn Member>, Result<(), StoreError>),
    /// Send [`Event::Woken`] at that moment.
    WakeAt(Instant),
}
