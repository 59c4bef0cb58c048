//! Why a step was not taken.

use std::time::Duration;

use countersign_core::{RecipientError, RefusalRule, SessionOver, Settlement};
use countersign_plivo::{PlivoError, THROTTLED_PAUSE};
use countersign_store::StoreError;
use serde::{Deserialize, Serialize};

/// `Retry-After` of an outage of the store's or Plivo's.
const OUTAGE_RETRY_AFTER: Duration = Duration::from_secs(5);
/// `Retry-After` when Plivo's own count for a number is full: its sessions live ten
/// minutes (reference: expiry default).
const ATTEMPTS_RETRY_AFTER: Duration = Duration::from_mins(10);
/// `Retry-After` of a full bulkhead: a second later other calls have ended.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a step was not taken. Kept as the answer of an idempotency key where the step had
/// an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not a phone number we can read.
    RecipientInvalid,
    /// The country is not served.
    CountryNotAllowed,
    /// The kind of number cannot take the channel.
    NumberTypeNotAllowed {
        /// Whether it can take another one that is offered here.
        other_channel: bool,
    },
    /// The channel is switched off.
    ChannelNotAvailable,
    /// The code does not have as many digits as ours have. No check was used.
    OtpLength {
        /// How many they have.
        expected: u8,
    },
    /// The code is wrong.
    OtpIncorrect {
        /// Codes that may still be tried.
        checks_left: u8,
    },
    /// The session takes no further step.
    Over(SessionOver),
    /// Too soon or too many.
    RateLimited {
        /// What is full.
        rule: RefusalRule,
        /// When the next call passes.
        retry_after: Duration,
    },
    /// The same request, by its key, is under way.
    RequestUnderWay,
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
    /// Plivo refused us or gave an invalid response.
    UpstreamError,
    /// Plivo did not answer in time.
    UpstreamTimeout,
    /// Something went wrong after the step may have had its effect; how it ended
    /// is not known.
    Unsettled {
        /// When to try again.
        retry_after: Duration,
    },
    /// Plivo or the store is not there. Nothing was done.
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

    /// The store failed when what had happened was to be kept.
    pub(super) const UNSETTLED: Self = Self::Unsettled {
        retry_after: OUTAGE_RETRY_AFTER,
    };

    /// Of a check that Plivo throttled: it stays counted, since whether Plivo counted it is
    /// not known.
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

/// What a settlement that did not verify tells the caller; none of one that did.
pub(super) fn of_settlement(settlement: Settlement) -> Option<Refusal> {
    match settlement {
        Settlement::Verified => None,
        Settlement::Incorrect { checks_left } => Some(Refusal::OtpIncorrect { checks_left }),
        // Only a new code helps.
        Settlement::CodeUsed => Some(Refusal::Over(SessionOver::Expired)),
        Settlement::Over(over) => Some(Refusal::Over(over)),
    }
}
