//! Label values. Each label has few of them.

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

/// Defines enums whose values are label words.
macro_rules! words {
    ($(#[$about:meta])* $name:ident: $($(#[$meaning:meta])* $value:ident = $word:literal,)+) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$meaning])* $value,)+
        }

        impl $name {
            /// All values.
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
    /// Clocks that the clock of proofs is compared with.
    OtherClock:
    /// This machine's wall clock, as it is set now.
    Machine = "machine",
    /// The store's, which expiries and limits use.
    Store = "store",
}

words! {
    /// Calls of Plivo.
    UpstreamCall:
    /// Deliver a code.
    Create = "create",
    /// Check a code.
    Validate = "validate",
    /// Read the delivery status.
    Retrieve = "retrieve",
}

words! {
    /// State of the circuit breaker in front of Plivo.
    BreakerState:
    /// Calls pass.
    Closed = "closed",
    /// No call passes.
    Open = "open",
    /// One call is tried.
    HalfOpen = "half_open",
}

/// A country.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CountryLabels {
    pub(super) country: CountryLabel,
}

/// Country and channel of a code.
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

/// A spending cap of one application.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ApplicationCapLabels {
    pub(super) application: String,
    pub(super) per: String,
}

/// Country and channel of a cost; the channel is `validation` for checks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CostLabels {
    pub(super) country: CountryLabel,
    pub(super) channel: &'static str,
}

/// A spending cap, by its window, as the operator set it.
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
