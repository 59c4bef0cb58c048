//! Known numbers: those that were verified lately.
//!
//! Fraud asks for codes to numbers that nobody reads, so a number that gave a code
//! back is spared what bounds countries and ranges: while a country is under attack,
//! its people still get their codes. Limits by number, by address and in money hold
//! for it as for any other.
//!
//! Two sends in a row that are not followed by a verification end it: whoever has
//! verified numbers for the sake of it gets two codes out of each, and pays for the
//! next two by reading one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Key, Millis, Row, Rows, SessionRules, Unreadable, keys};

/// Sends in a row without a verification that a number stays known for.
const MAX_OPEN_SENDS: u8 = 2;

/// A number that was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownRow {
    /// When, last.
    verified_at: Millis,
    /// Sends that were reserved since.
    #[serde(default)]
    open_sends: u8,
}

impl Row for KnownRow {
    const KIND: &'static str = "known";
}

impl KnownRow {
    /// What is remembered of the number, where that is remembered at all.
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

    /// Remembers from now on that the number is verified.
    pub(crate) fn verified(rows: &mut Rows<'_>, number: &Key, rules: &SessionRules) {
        if let Some(kept_for) = rules.known_numbers_for {
            let row = Self {
                verified_at: rows.now(),
                open_sends: 0,
            };
            row.save(rows, number, kept_for);
        }
    }

    /// Whether the next send is spared.
    pub(crate) fn is_known(&self) -> bool {
        self.open_sends < MAX_OPEN_SENDS
    }

    /// One more send is reserved.
    pub(crate) fn sent(&mut self) {
        self.open_sends = self.open_sends.saturating_add(1);
    }

    /// A send that was reserved then certainly never left.
    pub(crate) fn unsent(&mut self, reserved_at: Millis) {
        // A verification meanwhile has forgiven it already.
        if reserved_at > self.verified_at {
            self.open_sends = self.open_sends.saturating_sub(1);
        }
    }

    /// Stores it for as long as it counts.
    pub(crate) fn save(&self, rows: &mut Rows<'_>, number: &Key, kept_for: Duration) {
        let ends_at = self.ends_at(kept_for, rows.now());
        rows.put(&keys::known(number), self, ends_at);
    }

    /// A moment that lies ahead, since the clock was set back, counts as now.
    fn ends_at(&self, kept_for: Duration, now: Millis) -> Millis {
        self.verified_at.min(now).after(kept_for)
    }
}

/// The row of a known number, where numbers are remembered.
pub(crate) fn key(number: &Key, rules: &SessionRules) -> Option<Key> {
    rules.known_numbers_for.map(|_| keys::known(number))
}
