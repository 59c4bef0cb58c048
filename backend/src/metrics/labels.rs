//! The values that labels take. All of them are few.

use std::fmt::{self, Write};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use crate::store::Limit;

/// An ISO 3166-1 alpha-2 code, or `other`: whatever it is made of, it names no
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CountryCode(Option<[u8; 2]>);

impl CountryCode {
    /// The code, or `other` where that is none.
    pub fn of(text: &str) -> Self {
        let letters: Option<[u8; 2]> = text.as_bytes().try_into().ok();
        Self(letters.filter(|letters| letters.iter().all(u8::is_ascii_uppercase)))
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.as_ref().map(|letters| str::from_utf8(letters));
        formatter.write_str(letters.and_then(Result::ok).unwrap_or("other"))
    }
}

impl EncodeLabelValue for CountryCode {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        write!(encoder, "{self}")
    }
}

/// Enums whose values are words.
macro_rules! words {
    ($(#[$about:meta])* $name:ident: $($(#[$meaning:meta])* $value:ident = $word:literal,)+) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$meaning])* $value,)+
        }

        impl $name {
            /// Each of them.
            pub const ALL: &[Self] = &[$(Self::$value),+];

            /// The word in logs and metrics.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }
    };
}

words! {
    /// What the clock that proofs are dated by is compared with.
    OtherClock:
    /// This machine's, as it is set now.
    Machine = "machine",
    /// The store's, by which expiries and limits go.
    Store = "store",
}

words! {
    /// What is asked of Plivo.
    UpstreamCall:
    /// To deliver a code.
    Create = "create",
    /// To check one.
    Validate = "validate",
    /// How a delivery goes.
    Retrieve = "retrieve",
}

words! {
    /// How a call of Plivo ended.
    UpstreamOutcome:
    /// With what was asked for.
    Done = "done",
    /// With a no that is about the caller's input, such as a wrong code.
    Declined = "declined",
    /// Our account is refused.
    Refused = "refused",
    /// Too many calls.
    Throttled = "throttled",
    /// A server error of Plivo's.
    Failed = "failed",
    /// With neither Plivo's success nor a refusal to a code: it was not accepted.
    Unexpected = "unexpected",
    /// An answer outside the contract.
    Nonsense = "nonsense",
    /// No answer in time.
    Timeout = "timeout",
    /// The connection broke.
    Broken = "broken",
    /// No connection.
    Unreachable = "unreachable",
}

words! {
    /// How the breaker in front of Plivo stands.
    BreakerState:
    /// Calls pass.
    Closed = "closed",
    /// None passes.
    Open = "open",
    /// One is tried.
    HalfOpen = "half_open",
}

/// What refused a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A limit across sessions.
    Limit(Limit),
    /// The wait between two codes to one number.
    ResendWaits,
    /// The bound on requests from one address, before anything of them is read.
    RequestsPerAddress,
    /// The bound on streams of events to one address.
    StreamsPerAddress,
    /// Plivo's own count of deliveries to a number is full.
    UpstreamAttempts,
    /// The breaker in front of Plivo is open.
    UpstreamBreaker,
    /// As many calls of Plivo are under way as may be.
    UpstreamFull,
    /// Too many steps wait for the store.
    StoreBusy,
}

impl Rule {
    /// The word for callers. What stands between fraud and the bill has one name for all,
    /// so that nobody learns how far he got.
    pub const fn public_name(self) -> &'static str {
        match self {
            Self::Limit(
                Limit::Spend | Limit::ConversionPerCountry | Limit::ConversionPerPrefix,
            ) => "service_protection",
            rule => rule.as_str(),
        }
    }

    /// The word in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit(limit) => limit.as_str(),
            Self::ResendWaits => "resend_waits",
            Self::RequestsPerAddress => "requests_per_address",
            Self::StreamsPerAddress => "streams_per_address",
            Self::UpstreamAttempts => "upstream_attempts",
            Self::UpstreamBreaker => "upstream_breaker",
            Self::UpstreamFull => "upstream_full",
            Self::StoreBusy => "store_busy",
        }
    }
}

/// Where a code went, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Went {
    pub(super) country: CountryCode,
    pub(super) channel: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Ruled {
    pub(super) rule: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Call {
    pub(super) call: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Ended {
    pub(super) call: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct State {
    pub(super) state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Step {
    pub(super) step: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Request {
    pub(super) route: String,
    pub(super) status: u16,
}

/// What codes cost, by where they went and how; or `validation`, for checks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Cost {
    pub(super) country: CountryCode,
    pub(super) channel: &'static str,
}

/// A cap, by the time it holds for, as the operator set it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Cap {
    pub(super) per: String,
}

/// A rule of the conversion breaker, and whether it is enforced.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Watching {
    pub(super) rule: &'static str,
    pub(super) mode: &'static str,
}

impl Watching {
    pub(super) fn of(rule: Limit, enforced: bool) -> Self {
        Self {
            rule: rule.as_str(),
            mode: if enforced { "enforce" } else { "monitor" },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Compared {
    pub(super) other: &'static str,
}
