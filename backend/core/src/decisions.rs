//! Decisions about sends, kept so that the record of an attack outlives rotated logs.
//!
//! They are stored in a ring buffer of rows with many decisions each, so the record is
//! bounded in number as well as in time, and costs a send next to nothing. They identify
//! nobody: an address is cut to its network, and a number is masked.

use serde::{Deserialize, Serialize};

use crate::{Millis, Row};

/// Decisions in one row.
pub const MAX_PER_ROW: usize = 64;
/// Rows in the ring buffer: 131,072 decisions.
pub(crate) const MAX_ROWS: u64 = 2_048;

/// A decision about a send, with a count of identical ones within a short time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// When it was first taken.
    #[serde(rename = "t")]
    pub at: Millis,
    /// `sent`, or the rule that refused the send.
    #[serde(rename = "o")]
    pub outcome: String,
    /// The application.
    #[serde(rename = "p", default)]
    pub application: String,
    /// ISO 3166-1 alpha-2; empty if unknown.
    #[serde(rename = "c")]
    pub country: String,
    /// The channel; empty if none was requested.
    #[serde(rename = "h")]
    pub channel: String,
    /// The number's range, by its leading digits.
    #[serde(rename = "r")]
    pub range: String,
    /// The number, masked.
    #[serde(rename = "m")]
    pub recipient: String,
    /// The caller's network: a /24 for IPv4, a /48 for IPv6.
    #[serde(rename = "a")]
    pub address: String,
    /// How often it was taken.
    #[serde(rename = "n")]
    pub times: u32,
}

/// The number of rows that were ever started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DecisionsHead {
    pub(crate) begun: u64,
}

impl Row for DecisionsHead {
    const KIND: &'static str = "decisions";
}

impl DecisionsHead {
    /// The indices of the current row and of the next one.
    pub(crate) fn places(self) -> [u64; 2] {
        [
            self.begun.saturating_sub(1) % MAX_ROWS,
            self.begun % MAX_ROWS,
        ]
    }

    /// The indices of all rows, the oldest first.
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
