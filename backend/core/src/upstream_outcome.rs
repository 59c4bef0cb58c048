//! How the outcome of a call to Plivo affects what was reserved.
//!
//! A reservation is released only if the request certainly never left; anything that may
//! have reached Plivo stays counted.

/// How a call to Plivo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamOutcome {
    /// Success.
    Done,
    /// Rejected because of the caller's input: a number, a country or a code.
    Rejected,
    /// Rejected because of our account.
    Refused,
    /// Rejected because our account made too many calls.
    Throttled,
    /// A server error at Plivo.
    Failed,
    /// A response outside Plivo's contract.
    InvalidResponse,
    /// No response in time.
    Timeout,
    /// The connection broke after something may have left.
    ConnectionReset,
    /// No connection: not one byte left.
    Unreachable,
    /// Not called: the circuit breaker or the bulkhead refused the call.
    NotAsked,
}

/// What happens to a reserved send or resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterSend {
    /// Record it: the code was sent.
    Record,
    /// Release it: it never left.
    Release,
    /// Close it: Plivo answered that it sends nothing. It stays counted, and no callback
    /// adopts it.
    Close,
    /// Leave it counted. If Plivo sent a code after all, a callback adopts it.
    LeaveCounted,
}

/// What happens to a reserved check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterCheck {
    /// Settle it: Plivo decided on the code.
    Settle,
    /// Release it: it never left.
    Release,
    /// Leave it counted: it is unknown whether Plivo counted it.
    LeaveCounted,
}

impl UpstreamOutcome {
    /// Every outcome.
    pub const ALL: [Self; 10] = [
        Self::Done,
        Self::Rejected,
        Self::Refused,
        Self::Throttled,
        Self::Failed,
        Self::InvalidResponse,
        Self::Timeout,
        Self::ConnectionReset,
        Self::Unreachable,
        Self::NotAsked,
    ];

    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::InvalidResponse => "invalid_response",
            Self::Timeout => "timeout",
            Self::ConnectionReset => "connection_reset",
            Self::Unreachable => "unreachable",
            Self::NotAsked => "not_asked",
        }
    }

    /// Whether certainly not one byte of the request left.
    pub const fn never_left(self) -> bool {
        matches!(self, Self::Unreachable | Self::NotAsked)
    }

    /// What happens to a send or a resend with this outcome.
    pub const fn after_send(self) -> AfterSend {
        match self {
            Self::Done => AfterSend::Record,
            Self::Unreachable | Self::NotAsked => AfterSend::Release,
            Self::Rejected | Self::Refused | Self::Throttled => AfterSend::Close,
            Self::Failed | Self::InvalidResponse | Self::Timeout | Self::ConnectionReset => {
                AfterSend::LeaveCounted
            }
        }
    }

    /// What happens to a check with this outcome.
    pub const fn after_check(self) -> AfterCheck {
        match self {
            Self::Done | Self::Rejected => AfterCheck::Settle,
            Self::Unreachable | Self::NotAsked => AfterCheck::Release,
            Self::Refused
            | Self::Throttled
            | Self::Failed
            | Self::InvalidResponse
            | Self::Timeout
            | Self::ConnectionReset => AfterCheck::LeaveCounted,
        }
    }

    /// Whether the same send may succeed soon, so that its idempotency key must not keep
    /// the failure.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Throttled)
    }

    /// Whether a send with this outcome may cost money: it may have reached Plivo, and
    /// Plivo did not reject it.
    pub const fn may_cost(self) -> bool {
        matches!(
            self,
            Self::Done
                | Self::Timeout
                | Self::ConnectionReset
                | Self::InvalidResponse
                | Self::Failed
        )
    }
}

/// Plivo's verdict on a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is right: exactly Plivo's success message, nothing else.
    Accepted,
    /// It is wrong.
    Incorrect,
    /// It is used up: expired, used by another session of the number, or tried too often.
    /// Only a new code helps.
    CodeUsed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_never_left_is_released() {
        for outcome in UpstreamOutcome::ALL {
            let is_released = outcome.after_send() == AfterSend::Release;
            assert_eq!(is_released, outcome.never_left(), "{outcome:?}");
            let is_released = outcome.after_check() == AfterCheck::Release;
            assert_eq!(is_released, outcome.never_left(), "{outcome:?}");
            assert!(!(outcome.never_left() && outcome.may_cost()));
        }
    }

    #[test]
    fn only_an_answer_records_or_settles() {
        use UpstreamOutcome::{Done, Rejected};
        for outcome in UpstreamOutcome::ALL {
            let is_recorded = outcome.after_send() == AfterSend::Record;
            assert_eq!(is_recorded, outcome == Done, "{outcome:?}");
            let is_settled = outcome.after_check() == AfterCheck::Settle;
            assert_eq!(
                is_settled,
                matches!(outcome, Done | Rejected),
                "{outcome:?}"
            );
        }
    }
}
