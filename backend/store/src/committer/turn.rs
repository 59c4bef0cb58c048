//! Fairness between instances.
//!
//! If one instance is farther from the store than the others, its commits lose every
//! race. After three lost races it takes a turn: it writes a row during whose lifetime
//! the others commit nothing.

use std::{collections::BTreeMap, time::Duration};

use countersign_core::{Key, Millis, StoredRow, Write};

use crate::store::Snapshot;

/// Minimum duration of a turn.
const MIN_TURN: Duration = Duration::from_millis(50);
/// Maximum duration, if the store is far away.
const MAX_TURN: Duration = Duration::from_millis(400);
/// How long others wait before they check again: a turn ends with its commit.
const MIN_PAUSE: Duration = Duration::from_millis(1);
const MAX_PAUSE: Duration = Duration::from_millis(10);

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    Us,
    /// Another instance's, for that long, unless it ends earlier.
    Another(Duration),
}

pub(super) struct Turn {
    key: Key,
    id: [u8; 8],
    /// Duration of the last commit.
    trip: Duration,
}

impl Turn {
    pub(super) fn new(id: [u8; 8]) -> Self {
        Self {
            key: Key::new("turn"),
            id,
            trip: Duration::ZERO,
        }
    }

    /// Every group reads and compares it, so taking the turn makes the commits in
    /// progress conflict.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn of(&self, snapshot: &Snapshot) -> Holder {
        match snapshot.rows.get(&self.key) {
            Some(Some(row)) if row.expires_at > snapshot.now => {
                if row.value == self.id {
                    Holder::Us
                } else {
                    Holder::Another(snapshot.now.until(row.expires_at))
                }
            }
            _ => Holder::Nobody,
        }
    }

    /// It begins one round trip after `now`, and has to last until the rows are read and
    /// committed: three round trips, and one to spare.
    pub(super) fn take(&self, now: Millis) -> BTreeMap<Key, Write> {
        let lasts = (self.trip * 4).clamp(MIN_TURN, MAX_TURN);
        let row = StoredRow {
            value: self.id.to_vec(),
            expires_at: now.after(lasts),
        };
        BTreeMap::from([(self.key.clone(), Write::Put(row))])
    }

    /// Ends the turn in the commit that it was taken for.
    pub(super) fn release(&self, writes: &mut BTreeMap<Key, Write>) {
        writes.insert(self.key.clone(), Write::Delete);
    }

    pub(super) fn note_trip(&mut self, trip: Duration) {
        self.trip = trip;
    }

    pub(super) fn pause(&self) -> Duration {
        self.trip.clamp(MIN_PAUSE, MAX_PAUSE)
    }
}
