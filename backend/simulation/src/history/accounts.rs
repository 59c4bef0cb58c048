//! What the model knows of numbers and sessions.

use std::time::Duration;

use countersign_core::{Millis, SentAnswer, SessionOver, SessionRules};
use countersign_shared::Channel;

/// How long the id of an ended session is known.
const ENDED_FOR: u64 = 3_600_000;

/// The resend backoff of a number: how many codes were sent, and when the last one was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    pub(super) sends: usize,
    pub(super) last: u64,
}

impl Backoff {
    pub(super) fn ready_at(self, rules: &SessionRules) -> u64 {
        let waits = &rules.resend_waits;
        match self.sends.checked_sub(1) {
            Some(index) => self.last + millis(waits[index.min(waits.len() - 1)]),
            None => 0,
        }
    }

    /// Some step reads it.
    pub(super) fn read_at(&mut self, rules: &SessionRules, now: u64) {
        let over_at = self.last + millis(rules.session_lifetime);
        if over_at.max(self.ready_at(rules)) <= now {
            *self = Self::default();
        }
        self.last = self.last.min(now);
    }

    pub(super) fn after(self, now: u64) -> Self {
        Self {
            sends: self.sends + 1,
            last: now,
        }
    }
}

/// A number beside its counters.
#[derive(Clone, Debug, Default)]
pub(super) struct Number {
    pub(super) backoff: Backoff,
    /// When it was verified, until when it is known, and sends since then.
    pub(super) known: Option<(u64, u64, u32)>,
    /// When the operator freed it last.
    pub(super) freed_at: Option<u64>,
    /// Sends that a callback could be about: the session of each, and when it was reserved.
    pub(super) reserved: Vec<(usize, u64)>,
    /// Plivo's session.
    pub(super) plivo: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Reserved,
    Pending,
    Verified,
    Exhausted,
}

#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) at: u64,
    pub(super) channel: Channel,
    /// What it was expected to cost, until Plivo's charge is known.
    pub(super) expected: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) name: String,
    pub(super) number: usize,
    pub(super) caller: usize,
    pub(super) state: State,
    pub(super) ends_at: u64,
    pub(super) checks_left: u8,
    pub(super) plivo: String,
    pub(super) deliveries: Vec<Delivery>,
    /// Whether it ended before the clock was set, and whether its id is forgotten.
    pub(super) is_gone: bool,
    pub(super) is_unknown: bool,
}

impl Session {
    pub(super) fn over(&self, now: u64) -> Option<SessionOver> {
        if self.state == State::Reserved || self.is_unknown || self.ends_at + ENDED_FOR <= now {
            Some(SessionOver::NotFound)
        } else if self.is_gone || self.ends_at <= now {
            Some(SessionOver::Expired)
        } else {
            None
        }
    }

    /// Why it takes no step of a call with the key of that caller's application, or of one
    /// without a key. Callers with an odd number have begun with their key.
    pub(super) fn closed_to(&self, key: Option<usize>, now: u64) -> Option<SessionOver> {
        let is_theirs = match key {
            Some(caller) => caller == self.caller,
            None => self.caller.is_multiple_of(2),
        };
        self.over(now).or(match self.state {
            _ if !is_theirs => Some(SessionOver::NotFound),
            State::Verified => Some(SessionOver::AlreadyVerified),
            State::Exhausted => Some(SessionOver::ChecksExhausted),
            State::Pending | State::Reserved => None,
        })
    }

    /// The answer to a send or resend that happens now.
    pub(super) fn sent(&self, channel: Channel, next_at: u64, now: u64) -> SentAnswer {
        SentAnswer {
            seen_at: Millis(now),
            channel,
            expires_at: Millis(self.ends_at),
            next_at: Millis(next_at),
            checks_left: self.checks_left,
        }
    }

    /// The clock is about to be set: what has ended stays so.
    pub(super) fn expire(&mut self, now: u64) {
        self.is_gone |= self.ends_at <= now;
        self.is_unknown |= self.ends_at + ENDED_FOR <= now;
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
