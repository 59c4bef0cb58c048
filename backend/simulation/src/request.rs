//! Requests under way: each a flow of the rules' own, driven step by step.

use countersign_core::{
    AttemptUpdate,
    flow::{CheckFlow, DeliverFlow},
};
use countersign_shared::Channel;

use crate::{border::Keyed, outcome::Answer};

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Reserve,
    Plivo,
    Record,
    Settle,
    Release,
    Keep,
    /// The one step of a request that asks Plivo nothing, or asked it before.
    Only,
}

/// Who asks, and what for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) person: usize,
    pub(crate) caller: usize,
    pub(crate) number: usize,
    pub(crate) session: String,
    pub(crate) keyed: Option<Keyed>,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Send(Channel),
    Resend(Channel),
    Check(u64),
}

pub(crate) enum Work {
    Deliver(DeliverFlow),
    Check(CheckFlow),
    Callback(Callback),
    /// Somebody watches a session's deliveries: the session's name, and Plivo's id.
    Watch(String, String),
}

/// What Plivo tells.
#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub(crate) nonce: String,
    pub(crate) plivo: usize,
    pub(crate) update: AttemptUpdate,
    /// The send that it is about.
    pub(crate) request: u64,
    pub(crate) retries_left: u32,
}

pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) instance: usize,
    pub(crate) asked: Option<Asked>,
    pub(crate) work: Work,
    pub(crate) phase: Phase,
    /// Steps so far, to know a deadline's.
    pub(crate) steps: u32,
    /// Of the step that is under way.
    pub(crate) answer: Option<Answer>,
    /// Plivo's session that it was answered.
    pub(crate) created: Option<String>,
    /// A byte of its call of Plivo left.
    pub(crate) has_left: bool,
}
