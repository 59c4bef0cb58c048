//! What can go wrong upstream. The kind is kept to the border; the text never
//! leaves this file.

use std::time::Duration;

use reqwest::{Response, header::RETRY_AFTER};

use super::wire;
use crate::metrics::UpstreamOutcome;

/// The longest wait we pass on.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// A call that brought no answer we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlivoError {
    /// No connection: the request certainly never left.
    #[error("no connection")]
    Unreachable,
    /// The connection broke after something may have left.
    #[error("the connection broke")]
    Broken,
    /// Silent past the deadline.
    #[error("no answer in time")]
    Timeout,
    /// Our account, application or credit is refused.
    #[error("refused with status {status}")]
    Refused {
        /// Plivo's status.
        status: u16,
    },
    /// Too many requests from our account.
    #[error("throttled")]
    Throttled {
        /// When to try again, where Plivo says so.
        retry_after: Option<Duration>,
    },
    /// Plivo is in trouble.
    #[error("failed with status {status}")]
    Failed {
        /// Plivo's status.
        status: u16,
    },
    /// An answer outside the contract.
    #[error("an answer outside the contract")]
    Nonsense,
    /// Plivo does not take this recipient for a phone number.
    #[error("the recipient is refused")]
    RecipientRefused,
    /// Our account does not send to this country (403 on create).
    #[error("the country is refused")]
    CountryRefused,
    /// The recipient had all the attempts that the application allows.
    #[error("the recipient's attempts are used up")]
    AttemptsUsedUp,
    /// The breaker is open, or Plivo asked for a pause: nothing was sent.
    #[error("not asked for a while")]
    NotAsked {
        /// When to try again.
        retry_after: Duration,
    },
    /// As many calls are under way as may be: nothing was sent.
    #[error("too many calls under way")]
    Full,
}

impl PlivoError {
    /// Whether not one byte of the request left, so that what was reserved for it
    /// is given back.
    pub fn never_left(self) -> bool {
        matches!(self, Self::Unreachable | Self::NotAsked { .. } | Self::Full)
    }

    /// The word for it in metrics. Of a call that was not made there is none.
    pub(super) fn outcome(&self) -> UpstreamOutcome {
        match self {
            Self::Unreachable | Self::NotAsked { .. } | Self::Full => UpstreamOutcome::Unreachable,
            Self::Broken => UpstreamOutcome::Broken,
            Self::Timeout => UpstreamOutcome::Timeout,
            Self::Refused { .. } => UpstreamOutcome::Refused,
            Self::Throttled { .. } => UpstreamOutcome::Throttled,
            Self::Failed { .. } => UpstreamOutcome::Failed,
            Self::Nonsense => UpstreamOutcome::Nonsense,
            Self::RecipientRefused | Self::CountryRefused | Self::AttemptsUsedUp => {
                UpstreamOutcome::Declined
            }
        }
    }
}

/// Why a code was not accepted, as far as an undocumented text tells. It shapes
/// the advice to the caller and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionHint {
    /// The code is wrong.
    Incorrect,
    /// The code is dead: expired, used by another session of this number, or
    /// tried too often. Only a new code helps.
    CodeDead,
}

pub(super) fn transport(error: &reqwest::Error) -> PlivoError {
    if error.is_connect() {
        PlivoError::Unreachable
    } else if error.is_timeout() {
        PlivoError::Timeout
    } else {
        PlivoError::Broken
    }
}

pub(super) fn failed(response: &Response) -> PlivoError {
    match response.status().as_u16() {
        429 => PlivoError::Throttled {
            retry_after: retry_after(response),
        },
        status @ 500..=599 => PlivoError::Failed { status },
        status @ 400..=499 => PlivoError::Refused { status },
        _ => PlivoError::Nonsense,
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds).clamp(Duration::from_secs(1), LONGEST_WAIT))
}

/// A 400 on create is about the recipient, the attempts, or us.
pub(super) fn create_refused(body: &[u8]) -> PlivoError {
    let text = wire::error_text(body);
    if text.contains("recipient") {
        PlivoError::RecipientRefused
    } else if text.contains("attempts") {
        PlivoError::AttemptsUsedUp
    } else {
        PlivoError::Refused { status: 400 }
    }
}

pub(super) fn rejection_hint(body: &[u8]) -> RejectionHint {
    let text = wire::error_text(body);
    let dead = ["expired", "already", "maximum", "not found"];
    if dead.iter().any(|word| text.contains(word)) {
        RejectionHint::CodeDead
    } else {
        RejectionHint::Incorrect
    }
}
