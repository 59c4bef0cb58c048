//! Decisions that were taken about sends, kept so that the record of an attack outlives
//! rotated logs.
//!
//! They are appended to rows of many, which are used round and round: so the record is
//! bounded in number as well as in time, and costs a send next to nothing. Nobody is named:
//! an address stands without its end, a number without its middle.

use serde::{Deserialize, Serialize};

use crate::{Millis, Row};

/// Decisions in one row.
pub const MAX_PER_ROW: usize = 64;
/// Rows that are used round and round: 131,072 decisions.
pub(crate) const MAX_ROWS: u64 = 2_048;

/// What was decided about a send, as often as it was within a moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// When, first.
    #[serde(rename = "t")]
    pub at: Millis,
    /// `sent`, or the rule that refused it.
    #[serde(rename = "o")]
    pub outcome: String,
    /// The application that it was for.
    #[serde(rename = "p", default)]
    pub application: String,
    /// ISO 3166-1 alpha-2; empty where that is not known.
    #[serde(rename = "c")]
    pub country: String,
    /// How it was to travel; empty where it was not asked.
    #[serde(rename = "h")]
    pub channel: String,
    /// The number's range, by its leading digits.
    #[serde(rename = "r")]
    pub range: String,
    /// The number, masked.
    #[serde(rename = "m")]
    pub recipient: String,
    /// The network that the caller was in: a /24, or of IPv6 a /48.
    #[serde(rename = "a")]
    pub address: String,
    /// How often.
    #[serde(rename = "n")]
    pub times: u32,
}

/// How many rows were begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DecisionsHead {
    pub(crate) begun: u64,
}

impl Row for DecisionsHead {
    const KIND: &'static str = "decisions";
}

impl DecisionsHead {
    /// The places of the row that is written and of the one that begins next.
    pub(crate) fn places(self) -> [u64; 2] {
        [
            self.begun.saturating_sub(1) % MAX_ROWS,
            self.begun % MAX_ROWS,
        ]
    }

    /// The places of all rows, the oldest first.
    pub(crate) fn all(self) -> impl Iterator<Item = u64> {
        (self.begun.saturating_sub(MAX_ROWS)..self.begun).map(|number| number % MAX_ROWS)
    }
}

/// Some decisions, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DecisionsRow {
    pub(crate) decisions: Vec<Decision>,
}

impl Row for DecisionsRow {
    const KIND: &'static str = "decision";
}
