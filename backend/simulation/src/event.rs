//! What happens, and to whom.

use countersign_core::{Key, UpstreamOutcome, Verdict};
use countersign_store::{Commit, Committer, committer::Event as CommitterEvent};

use crate::request::{Asked, Callback};

/// One process.
pub(crate) struct Instance {
    /// How often it was started.
    pub(crate) generation: u32,
    pub(crate) committer: Committer,
}

pub(crate) enum Io {
    Load(Vec<Key>),
    Commit(Commit),
}

/// What Plivo answers.
pub(crate) enum PlivoAnswer {
    Created(Result<String, UpstreamOutcome>),
    Validated(Result<Verdict, UpstreamOutcome>),
}

/// What a call of Plivo comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Good,
    /// It reaches Plivo, and Plivo says no for a reason of its own.
    Refused(UpstreamOutcome),
    /// It does not reach Plivo, or Plivo does nothing.
    LostBefore(UpstreamOutcome),
    /// Plivo does it, and the answer is lost.
    LostAfter(UpstreamOutcome),
    /// Plivo does it, and answers something else.
    Lie,
}

/// What happens, to the process of that generation where one is named.
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
    /// Look whether the answer of a keyed request is found.
    Probe(Asked),
    Act(usize),
}
