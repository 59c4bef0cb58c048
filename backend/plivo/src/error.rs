//! Errors of Plivo calls. Their kind is kept up to the HTTP layer; Plivo's text never
//! leaves this file.

use std::time::Duration;

use reqwest::{Response, header::RETRY_AFTER};

use crate::wire;
use countersign_core::{UpstreamOutcome, Verdict};

/// The longest of Plivo's `Retry-After` that is passed on.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(5);

/// Wait if Plivo throttles us without naming a time: its account limit is counted over five
/// seconds (reference: transport).
pub const THROTTLED_PAUSE: Duration = Duration::from_secs(5);

/// A call without a usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlivoError {
    /// No connection: the request certainly never left.
    #[error("no connection")]
    Unreachable,
    /// The connection broke after something may have left.
    #[error("the connection broke")]
    Broken,
    /// No answer before the deadline.
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
        /// When to try again, if Plivo says so.
        retry_after: Option<Duration>,
    },
    /// Plivo failed (5xx).
    #[error("failed with status {status}")]
    Failed {
        /// Plivo's status.
        status: u16,
    },
    /// An answer that is not Plivo's documented one.
    #[error("an invalid response")]
    InvalidResponse,
    /// Plivo does not accept this recipient as a phone number.
    #[error("the recipient is refused")]
    RecipientRefused,
    /// Our account does not send to this country (403 on create).
    #[error("the country is refused")]
    CountryRefused,
    /// The recipient has had all attempts that the Plivo application allows.
    #[error("the recipient's attempts are used up")]
    AttemptsUsedUp,
    /// The breaker is open, or Plivo asked for a pause: nothing was sent.
    #[error("not asked for a while")]
    NotAsked {
        /// When to try again.
        retry_after: Duration,
    },
    /// The bulkhead is full: nothing was sent.
    #[error("too many calls under way")]
    Full,
}

impl PlivoError {
    /// The outcome, which decides what happens to the reservation; also the label in
    /// metrics.
    pub fn outcome(&self) -> UpstreamOutcome {
        match self {
            Self::Unreachable => UpstreamOutcome::Unreachable,
            Self::NotAsked { .. } | Self::Full => UpstreamOutcome::NotAsked,
            Self::Broken => UpstreamOutcome::ConnectionReset,
            Self::Timeout => UpstreamOutcome::Timeout,
            Self::Refused { .. } => UpstreamOutcome::Refused,
            Self::Throttled { .. } => UpstreamOutcome::Throttled,
            Self::Failed { .. } => UpstreamOutcome::Failed,
            Self::InvalidResponse => UpstreamOutcome::InvalidResponse,
            Self::RecipientRefused | Self::CountryRefused | Self::AttemptsUsedUp => {
                UpstreamOutcome::Rejected
            }
        }
    }
}

pub(crate) fn transport(error: &reqwest::Error) -> PlivoError {
    if error.is_connect() {
        PlivoError::Unreachable
    } else if error.is_timeout() {
        PlivoError::Timeout
    } else {
        PlivoError::Broken
    }
}

pub(crate) fn failed(response: &Response) -> PlivoError {
    match response.status().as_u16() {
        429 => PlivoError::Throttled {
            retry_after: retry_after(response),
        },
        status @ 500..=599 => PlivoError::Failed { status },
        status @ 400..=499 => PlivoError::Refused { status },
        _ => PlivoError::InvalidResponse,
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
    Some(Duration::from_secs(seconds).clamp(Duration::from_secs(1), MAX_RETRY_AFTER))
}

/// A 400 on create is about the recipient, the attempts, or our account.
pub(crate) fn create_refused(body: &[u8]) -> PlivoError {
    let text = wire::error_text(body);
    if text.contains("recipient") {
        PlivoError::RecipientRefused
    } else if text.contains("attempts") {
        PlivoError::AttemptsUsedUp
    } else {
        PlivoError::Refused { status: 400 }
    }
}

/// Why a code was refused, guessed from an undocumented text: it only shapes the advice to
/// the caller.
pub(crate) fn rejection(body: &[u8]) -> Verdict {
    let text = wire::error_text(body);
    let used = ["expired", "already", "maximum", "not found"];
    if used.iter().any(|word| text.contains(word)) {
        Verdict::CodeUsed
    } else {
        Verdict::Incorrect
    }
}
