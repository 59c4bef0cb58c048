//! What an outcome of Plivo's means for what was reserved.
//!
//! A reservation is released only when the request certainly never left; whatever
//! may have reached Plivo stays counted.

/// How a call of Plivo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamOutcome {
    /// With what was asked for.
    Done,
    /// With a no that is about the caller's input: a number, a country or a code.
    Rejected,
    /// With a no that is about our account.
    Refused,
    /// With too many calls of our account's.
    Throttled,
    /// With a server error of Plivo's.
    Failed,
    /// With an answer outside the contract.
    InvalidResponse,
    /// Without an answer in time.
    Timeout,
    /// With a connection that broke after something may have left.
    ConnectionReset,
    /// Without a connection: not one byte left.
    Unreachable,
    /// Not made: the circuit breaker or the bulkhead held it back.
    NotAsked,
}

/// What becomes of a reserved send or resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterSend {
    /// It is recorded: the code is out.
    Record,
    /// It is released: it never left.
    Release,
    /// It stays counted, and whatever Plivo may have made of it is adopted when a
    /// callback tells.
    LeaveCounted,
}

/// What becomes of a reserved check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterCheck {
    /// Plivo decided on the code: it is settled.
    Settle,
    /// It is released: it never left.
    Release,
    /// It stays counted: whether Plivo counted it is not known.
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

    /// The word in logs and metrics.
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

    /// Whether not one byte of the request left.
    pub const fn never_left(self) -> bool {
        matches!(self, Self::Unreachable | Self::NotAsked)
    }

    /// Of a send or a resend.
    pub const fn after_send(self) -> AfterSend {
        match self {
            Self::Done => AfterSend::Record,
            Self::Unreachable | Self::NotAsked => AfterSend::Release,
            Self::Rejected
            | Self::Refused
            | Self::Throttled
            | Self::Failed
            | Self::InvalidResponse
            | Self::Timeout
            | Self::ConnectionReset => AfterSend::LeaveCounted,
        }
    }

    /// Of a check.
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

    /// Whether a send that ended so may cost money: it reached Plivo, which did not
    /// say no.
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

/// What Plivo says of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is right: Plivo's own words of success, nothing else.
    Accepted,
    /// It is wrong.
    Incorrect,
    /// It is dead: expired, used by another session of the number, or tried too
    /// often. Only a new code helps.
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
