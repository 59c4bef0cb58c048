//! The values that labels take. All of them are few.

use std::fmt::{self, Write};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use countersign_core::{CountryCode, Limit};

/// A country as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CountryLabel(pub(super) CountryCode);

impl EncodeLabelValue for CountryLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        write!(encoder, "{}", self.0)
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
    /// How the breaker in front of Plivo stands.
    BreakerState:
    /// Calls pass.
    Closed = "closed",
    /// None passes.
    Open = "open",
    /// One is tried.
    HalfOpen = "half_open",
}

/// Where a code went, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SendLabels {
    pub(super) country: CountryLabel,
    pub(super) channel: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RefusalLabels {
    pub(super) rule: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KeyLabels {
    pub(super) reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CallLabels {
    pub(super) call: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct UpstreamLabels {
    pub(super) call: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StateLabels {
    pub(super) state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StepLabels {
    pub(super) step: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CommitLabels {
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) route: String,
    pub(super) status: u16,
}

/// What codes cost, by where they went and how; or `validation`, for checks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CostLabels {
    pub(super) country: CountryLabel,
    pub(super) channel: &'static str,
}

/// A cap, by the time it holds for, as the operator set it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CapLabels {
    pub(super) per: String,
}

/// A rule of the conversion breaker, and whether it is enforced.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ConversionLabels {
    pub(super) rule: &'static str,
    pub(super) mode: &'static str,
}

impl ConversionLabels {
    pub(super) fn of(rule: Limit, enforced: bool) -> Self {
        Self {
            rule: rule.as_str(),
            mode: if enforced { "enforce" } else { "monitor" },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ClockLabels {
    pub(super) other: &'static str,
}
