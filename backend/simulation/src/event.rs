//! Events of a schedule.

use countersign_core::{Key, UpstreamOutcome, Verdict};
use countersign_store::{Commit, Committer, committer::Event as CommitterEvent};

use crate::request::{Asked, Callback};

/// One process.
pub(crate) struct Instance {
    /// Number of restarts.
    pub(crate) generation: u32,
    pub(crate) committer: Committer,
}

pub(crate) enum Io {
    Load(Vec<Key>),
    Commit(Commit),
}

/// An answer from Plivo.
pub(crate) enum PlivoAnswer {
    Created(Result<String, UpstreamOutcome>),
    Validated(Result<Verdict, UpstreamOutcome>),
}

/// The fate of a call to Plivo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Good,
    /// It reaches Plivo, and Plivo refuses.
    Refused(UpstreamOutcome),
    /// It does not reach Plivo, or Plivo does nothing.
    LostBefore(UpstreamOutcome),
    /// Plivo executes it, and the answer is lost.
    LostAfter(UpstreamOutcome),
    /// Plivo executes it, and answers with something else.
    Lie,
}

/// An event; if it has a generation, it is for the process of that generation.
pub(crate) enum Event {
    StoreReached(usize, u32, Io),
    StoreAnswered(usize, u32, CommitterEvent),
    Woken(usize, u32),
    Deadline {
        request: u64,
        steps: u32,
    },
    PlivoReached {
        request: u64,
        fate: Fate,
    },
    PlivoAnswered(u64, PlivoAnswer),
    Called(Callback),
    /// Check that the answer of a keyed request is found.
    Probe(Asked),
    Act(usize),
    /// A request is made again under its key.
    Again(Asked),
    /// The operator does something.
    Operate,
}
