//! Why a step was refused.

use std::time::Duration;

use countersign_core::{RecipientError, RefusalRule, SessionOver, Settlement};
use countersign_plivo::{PlivoError, THROTTLED_PAUSE};
use countersign_store::StoreError;
use serde::{Deserialize, Serialize};

/// `Retry-After` of an outage of the store's or Plivo's.
const OUTAGE_RETRY_AFTER: Duration = Duration::from_secs(5);
/// `Retry-After` if Plivo's own attempts for a number are used up: its sessions last ten
/// minutes (reference: expiry default).
const ATTEMPTS_RETRY_AFTER: Duration = Duration::from_mins(10);
/// `Retry-After` of a full bulkhead: other calls end within a second.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a step was refused. Stored under the idempotency key if the step had an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not a valid phone number.
    RecipientInvalid,
    /// The country is not served.
    CountryNotAllowed,
    /// This kind of number cannot receive the channel.
    NumberTypeNotAllowed {
        /// Whether it can receive another channel that is enabled.
        other_channel: bool,
    },
    /// The channel is disabled.
    ChannelNotAvailable,
    /// The code has the wrong number of digits. No check was used.
    OtpLength {
        /// The right number of digits.
        expected: u8,
    },
    /// The code is wrong.
    OtpIncorrect {
        /// Checks left.
        checks_left: u8,
    },
    /// The session accepts no further step.
    Over(SessionOver),
    /// Rate limited.
    RateLimited {
        /// The limit.
        rule: RefusalRule,
        /// When the next call is admitted.
        retry_after: Duration,
    },
    /// A request with the same idempotency key is in progress.
    RequestUnderWay,
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
    /// Plivo refused us or gave an invalid response.
    UpstreamError,
    /// Plivo did not answer in time.
    UpstreamTimeout,
    /// The step may have had its effect, but its outcome is unknown.
    Unsettled {
        /// When to try again.
        retry_after: Duration,
    },
    /// Plivo or the store is unavailable. Nothing was done.
    TemporarilyUnavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

impl Refusal {
    /// The store failed before anything was done.
    pub const STORE_UNAVAILABLE: Self = Self::TemporarilyUnavailable {
        retry_after: OUTAGE_RETRY_AFTER,
    };

    /// The store failed to record what had happened.
    pub(super) const UNSETTLED: Self = Self::Unsettled {
        retry_after: OUTAGE_RETRY_AFTER,
    };

    /// The same, with a `Retry-After` of at least this wait.
    pub(super) fn not_before(self, wait: Duration) -> Self {
        match self {
            Self::Unsettled { retry_after } => Self::Unsettled {
                retry_after: retry_after.max(wait),
            },
            Self::TemporarilyUnavailable { retry_after } => Self::TemporarilyUnavailable {
                retry_after: retry_after.max(wait),
            },
            other => other,
        }
    }

    /// A check that Plivo throttled stays counted, because Plivo may have counted it.
    pub(super) fn of_check(error: PlivoError) -> Self {
        match error {
            PlivoError::Throttled { retry_after } => Self::Unsettled {
                retry_after: retry_after.unwrap_or(THROTTLED_PAUSE),
            },
            _ => error.into(),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(_: StoreError) -> Self {
        Self::STORE_UNAVAILABLE
    }
}

impl From<SessionOver> for Refusal {
    fn from(over: SessionOver) -> Self {
        Self::Over(over)
    }
}

impl From<RecipientError> for Refusal {
    fn from(error: RecipientError) -> Self {
        match error {
            RecipientError::Invalid => Self::RecipientInvalid,
            RecipientError::CountryNotAllowed => Self::CountryNotAllowed,
            RecipientError::NumberTypeNotAllowed { other_channel } => {
                Self::NumberTypeNotAllowed { other_channel }
            }
        }
    }
}

impl From<PlivoError> for Refusal {
    fn from(error: PlivoError) -> Self {
        match error {
            PlivoError::RecipientRefused => Self::RecipientInvalid,
            PlivoError::CountryRefused => Self::CountryNotAllowed,
            PlivoError::AttemptsUsedUp => Self::RateLimited {
                rule: RefusalRule::UpstreamAttempts,
                retry_after: ATTEMPTS_RETRY_AFTER,
            },
            PlivoError::Throttled { retry_after } => Self::TemporarilyUnavailable {
                retry_after: retry_after.unwrap_or(THROTTLED_PAUSE),
            },
            PlivoError::NotAsked { retry_after } => Self::TemporarilyUnavailable { retry_after },
            PlivoError::Full => Self::TemporarilyUnavailable {
                retry_after: FULL_RETRY_AFTER,
            },
            PlivoError::Unreachable => Self::TemporarilyUnavailable {
                retry_after: OUTAGE_RETRY_AFTER,
            },
            PlivoError::Timeout => Self::UpstreamTimeout,
            PlivoError::Broken
            | PlivoError::Refused { .. }
            | PlivoError::Failed { .. }
            | PlivoError::InvalidResponse => Self::UpstreamError,
        }
    }
}

/// The refusal of a settlement that did not verify; none for one that did.
pub(super) fn of_settlement(settlement: Settlement) -> Option<Refusal> {
    match settlement {
        Settlement::Verified => None,
        Settlement::Incorrect { checks_left } => Some(Refusal::OtpIncorrect { checks_left }),
        // The user needs a new code.
        Settlement::CodeUsed => Some(Refusal::Over(SessionOver::Expired)),
        Settlement::Over(over) => Some(Refusal::Over(over)),
    }
}
