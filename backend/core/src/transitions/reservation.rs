//! What a step holds while Plivo is called.

use std::time::Duration;

use countersign_shared::Channel;

use super::counters::TakenLimit;
use crate::{
    Delivery, Destination, IdempotencyClaim, Key, LowConversion, Millis, Repetition, Session,
    SessionOver, Upstream, Wait, resend_backoff::ResendBackoff,
};

/// Whether a step may go ahead.
#[derive(Debug)]
pub enum Reserved<R> {
    /// It may; every limit has counted it.
    Reserved(R),
    /// It has to wait. Nothing was counted.
    Wait(Wait),
    /// The session does not accept the step. Nothing was counted.
    Over(SessionOver),
    /// The request was made before. Nothing was counted, except for another body.
    Repeated(Repetition),
}

impl<R> From<Result<Repetition, Wait>> for Reserved<R> {
    fn from(found: Result<Repetition, Wait>) -> Self {
        match found {
            Ok(repetition) => Self::Repeated(repetition),
            Err(wait) => Self::Wait(wait),
        }
    }
}

/// A send or resend that was counted, until it is recorded or released.
#[derive(Debug)]
#[must_use = "what is reserved is recorded, released or left counted"]
pub struct SendReservation {
    pub(crate) session: Key,
    pub(crate) number: Key,
    /// The page that requested it.
    pub(crate) page: Option<Key>,
    pub(crate) destination: Destination,
    pub(crate) channel: Channel,
    pub(crate) reserved_at: Millis,
    /// Its expected price in millionths of a dollar; 0 if no cap counts it.
    pub(crate) expected: u64,
    pub(crate) taken: Vec<TakenLimit>,
    /// Whether it was counted as one to a known number.
    pub(crate) is_known: bool,
    pub(crate) backoff_before: ResendBackoff,
    pub(crate) next_at: Millis,
    pub(crate) claim: Option<IdempotencyClaim>,
    /// The id of the request that asked for it.
    pub(crate) request_id: String,
    pub(crate) low_conversion: Vec<LowConversion>,
    pub(crate) budget_used: Vec<u64>,
    pub(crate) application_budget_used: Vec<u64>,
}

impl SendReservation {
    /// The channel of the code.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// Destinations with a conversion rate that is too low, which is not enforced.
    pub fn low_conversion(&self) -> &[LowConversion] {
        &self.low_conversion
    }

    /// Whether it was counted as one to a known number.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// When it was counted.
    pub fn reserved_at(&self) -> Millis {
        self.reserved_at
    }

    /// How much of each spending cap is used, in millionths of a dollar, this send
    /// included; empty without caps.
    pub fn budget_used(&self) -> &[u64] {
        &self.budget_used
    }

    /// The same of the application's own caps.
    pub fn application_budget_used(&self) -> &[u64] {
        &self.application_budget_used
    }

    /// How long after `now` another send like this one will be accepted.
    pub fn next_in(&self, now: Millis) -> Duration {
        now.until(self.next_at)
    }

    /// The request's idempotency key and the moment it was claimed.
    pub fn claim(&self) -> Option<(&IdempotencyClaim, Millis)> {
        self.claim.as_ref().map(|claim| (claim, self.reserved_at))
    }

    pub(crate) fn delivery(&self) -> Delivery {
        Delivery {
            channel: self.channel,
            requested_at: self.reserved_at,
            expected: Some(self.expected),
            is_known: self.is_known,
        }
    }
}

/// A check that was counted, until it is settled or released.
#[derive(Debug)]
#[must_use = "what is reserved is settled, released or left counted"]
pub struct CheckReservation {
    pub(crate) key: Key,
    pub(crate) session: Session,
    pub(crate) reserved_at: Millis,
    pub(crate) taken: Vec<TakenLimit>,
    pub(crate) claim: Option<IdempotencyClaim>,
}

impl CheckReservation {
    /// When it was counted.
    pub fn reserved_at(&self) -> Millis {
        self.reserved_at
    }

    /// The session, with this check used.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Plivo's session to check the code with.
    pub fn upstream(&self) -> &Upstream {
        &self.session.upstream
    }

    /// The request's idempotency key and the moment it was claimed.
    pub fn claim(&self) -> Option<(&IdempotencyClaim, Millis)> {
        self.claim.as_ref().map(|claim| (claim, self.reserved_at))
    }
}
