//! Requests in progress: each drives a flow of `countersign-core` step by step.

use countersign_core::{
    AttemptUpdate, Millis,
    flow::{CheckFlow, DeliverFlow},
};
use countersign_shared::Channel;

use crate::{border::Keyed, operator::Operation, outcome::Answer};

/// The step that a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Reserve,
    Plivo,
    Record,
    Settle,
    Release,
    Close,
    Keep,
    /// The only step of a request that does not call Plivo, or has already called it.
    Only,
}

/// A request and its caller.
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
    /// Watching a session's deliveries since that moment: the session's name, and Plivo's
    /// id.
    Watch(String, String, Millis),
    Operate(Operation),
}

/// A callback from Plivo.
#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub(crate) nonce: String,
    pub(crate) plivo: usize,
    pub(crate) update: AttemptUpdate,
    /// The send that it reports on.
    pub(crate) request: u64,
    pub(crate) retries_left: u32,
}

pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) instance: usize,
    pub(crate) asked: Option<Asked>,
    pub(crate) work: Work,
    pub(crate) phase: Phase,
    /// Steps so far, to match deadlines to steps.
    pub(crate) steps: u32,
    /// The answer of the step in progress.
    pub(crate) answer: Option<Answer>,
    /// The session that Plivo returned.
    pub(crate) created: Option<String>,
    /// Whether a byte of its call to Plivo has left.
    pub(crate) has_left: bool,
}
