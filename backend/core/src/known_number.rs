//! Known numbers: those that were verified recently.
//!
//! Fraud requests codes to numbers that nobody reads, so a number whose code was entered
//! is exempt from the limits on countries and ranges: while a country is under attack,
//! its people still get their codes. Limits per number, per address and on cost apply to
//! it as to any other.
//!
//! Two sends in a row without a verification end the exemption: an attacker who verifies
//! numbers only to become known gets two codes out of each, and pays for the next two by
//! reading one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Key, Millis, Row, Rows, SessionRules, Unreadable, keys};

/// Sends in a row without a verification after which a number is no longer known.
const MAX_OPEN_SENDS: u8 = 2;

/// A number that was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownRow {
    /// When it was last verified.
    verified_at: Millis,
    /// Sends reserved since then.
    #[serde(default)]
    open_sends: u8,
}

impl Row for KnownRow {
    const KIND: &'static str = "known";
}

impl KnownRow {
    /// The number's row; `None` if it is not remembered, or no numbers are.
    pub(crate) fn load(
        rows: &Rows<'_>,
        number: &Key,
        rules: &SessionRules,
    ) -> Result<Option<Self>, Unreadable> {
        let Some(kept_for) = rules.known_numbers_for else {
            return Ok(None);
        };
        let row = rows.get::<Self>(&keys::known(number))?;
        Ok(row.filter(|row| row.ends_at(kept_for, rows.now()) > rows.now()))
    }

    /// Records that the number is verified now.
    pub(crate) fn verified(rows: &mut Rows<'_>, number: &Key, rules: &SessionRules) {
        if let Some(kept_for) = rules.known_numbers_for {
            let row = Self {
                verified_at: rows.now(),
                open_sends: 0,
            };
            row.save(rows, number, kept_for);
        }
    }

    /// Whether the next send counts as one to a known number.
    pub(crate) fn is_known(&self) -> bool {
        self.open_sends < MAX_OPEN_SENDS
    }

    /// Counts one more reserved send.
    pub(crate) fn sent(&mut self) {
        self.open_sends = self.open_sends.saturating_add(1);
    }

    /// Uncounts a send reserved at `reserved_at` that certainly never left.
    pub(crate) fn unsent(&mut self, reserved_at: Millis) {
        // A verification since then has reset the count already.
        if reserved_at > self.verified_at {
            self.open_sends = self.open_sends.saturating_sub(1);
        }
    }

    /// Stores it for as long as it counts.
    pub(crate) fn save(&self, rows: &mut Rows<'_>, number: &Key, kept_for: Duration) {
        let ends_at = self.ends_at(kept_for, rows.now());
        rows.put(&keys::known(number), self, ends_at);
    }

    /// A verification that lies ahead (the clock was set back) counts as now.
    fn ends_at(&self, kept_for: Duration, now: Millis) -> Millis {
        self.verified_at.min(now).after(kept_for)
    }
}

/// The row of a known number; `None` if no numbers are remembered.
pub(crate) fn key(number: &Key, rules: &SessionRules) -> Option<Key> {
    rules.known_numbers_for.map(|_| keys::known(number))
}
