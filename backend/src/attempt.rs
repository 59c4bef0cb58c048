//! One attempt of Plivo's to deliver a code.

use countersign_shared::{
    Channel,
    session::{AttemptReason, AttemptStatus},
};

use crate::money::MicroDollars;

/// As Plivo tells it, in our words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamAttempt {
    /// How it travels.
    pub channel: Channel,
    /// How far it has come.
    pub status: AttemptStatus,
    /// Why it did not arrive, where Plivo says so.
    pub reason: Option<AttemptReason>,
}

/// What was learned of an attempt, with its place among all of a session of
/// Plivo's, from 0.
pub type Noted = (usize, UpstreamAttempt);

/// What Plivo charges for one of its sessions, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// For each attempt, oldest first; nothing where there is no price yet.
    pub attempts: Vec<(Channel, MicroDollars)>,
    /// For the check of the code.
    pub validation: MicroDollars,
}
