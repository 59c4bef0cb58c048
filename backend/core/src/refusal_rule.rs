//! Which rule refused a step, for logs, metrics and callers.

use serde::{Deserialize, Serialize};

use crate::Limit;

/// The rule that refused a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalRule {
    /// A limit across sessions.
    Limit(Limit),
    /// The access list blocks the number or the address.
    Blocked,
    /// The resend backoff of the number.
    ResendBackoff,
    /// The rate limit on requests from one address, applied before a request is parsed.
    RequestsPerAddress,
    /// The rate limit on requests with an application's key, applied before a request is
    /// parsed.
    RequestsPerApplication,
    /// The limit on concurrent event streams.
    Streams,
    /// Plivo's own limit on attempts to a number is reached.
    UpstreamAttempts,
    /// The circuit breaker in front of Plivo is open.
    CircuitBreaker,
    /// The bulkhead for calls to Plivo is full.
    BulkheadFull,
}

impl RefusalRule {
    /// The name in logs and metrics.
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

    /// The name for callers. All fraud protection shares one name, so that an attacker
    /// does not learn how far they got.
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
            // Callers must not learn whether the number is known.
            Self::Limit(Limit::KnownPerCountry) => Limit::SendsPerCountry.as_str(),
            rule => rule.as_str(),
        }
    }
}
