//! Which rule refused a step, for logs, metrics and callers.

use serde::{Deserialize, Serialize};

use crate::Limit;

/// What refused a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalRule {
    /// A limit across sessions.
    Limit(Limit),
    /// The operator's list blocks the number or the address.
    Blocked,
    /// The wait between two codes to one number.
    ResendBackoff,
    /// The rate limit on requests from one address, before anything of them is read.
    RequestsPerAddress,
    /// The rate limit on requests with an application's key, before anything of them is read.
    RequestsPerApplication,
    /// The bound on streams of events.
    Streams,
    /// Plivo's own count of deliveries to a number is full.
    UpstreamAttempts,
    /// The circuit breaker in front of Plivo is open.
    CircuitBreaker,
    /// As many calls of Plivo are under way as may be.
    BulkheadFull,
}

impl RefusalRule {
    /// The word in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit(limit) => limit.as_str(),
            Self::Blocked => "blocked",
            Self::ResendBackoff => "resend_backoff",
            Self::RequestsPerAddress => "requests_per_address",
            Self::RequestsPerApplication => "requests_per_application",
            Self::Streams => "streams",
            Self::UpstreamAttempts => "upstream_attempts",
            Self::CircuitBreaker => "circuit_breaker",
            Self::BulkheadFull => "bulkhead_full",
        }
    }

    /// The word for callers. What stands between fraud and the bill has one name for all,
    /// so that nobody learns how far they got.
    pub const fn public_name(self) -> &'static str {
        match self {
            Self::Limit(
                Limit::Budget
                | Limit::ApplicationBudget
                | Limit::ConversionPerCountry
                | Limit::ConversionPerRange
                | Limit::ConversionOfKnown
                | Limit::Stopped,
            )
            | Self::Blocked => "service_protection",
            // Whether the number is known is nobody's business.
            Self::Limit(Limit::KnownPerCountry) => Limit::SendsPerCountry.as_str(),
            rule => rule.as_str(),
        }
    }
}
