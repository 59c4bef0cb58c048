//! A step of a verification as a pure function over rows.

use std::collections::BTreeMap;

use crate::{Key, Millis, Row, Unreadable};

/// A row as a store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// The encoded row.
    pub value: Vec<u8>,
    /// When the row expires: from this moment it counts as absent.
    pub expires_at: Millis,
}

/// A change to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Stores the row, replacing any existing one.
    Put(StoredRow),
    /// Removes the row.
    Delete,
}

/// A step: the rows it reads and the decision it makes on them.
///
/// It may run several times before one run is committed, so it neither logs nor counts,
/// and anything random or slow (ids, nonces, signatures, sealed fields, prices) is made
/// in advance and is part of its input.
pub trait Transition: Send + 'static {
    /// The result for the caller.
    type Outcome: Send + 'static;

    /// The rows it needs, as far as the `rows` loaded so far determine them. Called again
    /// until it names no new row, at most twice: a check learns its number from the
    /// session.
    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable>;

    /// Decides at `rows.now()` and writes into `rows`. If it fails, none of its writes
    /// are kept.
    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable>;
}

/// The rows that one run of a step sees, in layers: its own writes, over those of earlier
/// members of its group, over what was loaded.
pub struct Rows<'a> {
    base: &'a BTreeMap<Key, Option<StoredRow>>,
    writes: BTreeMap<Key, Write>,
    now: Millis,
    guards_single_use: bool,
}

impl<'a> Rows<'a> {
    /// A view over `base`, which holds every requested row (`None` if it is absent), at
    /// the store's time `now`.
    pub fn new(base: &'a BTreeMap<Key, Option<StoredRow>>, now: Millis) -> Self {
        Self {
            base,
            writes: BTreeMap::new(),
            now,
            guards_single_use: false,
        }
    }

    /// The time of this run, by the store's clock.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Whether the row was loaded at all: if not, [`Transition::keys`] must name it
    /// first.
    pub fn is_loaded(&self, key: &Key) -> bool {
        self.writes.contains_key(key) || self.base.contains_key(key)
    }

    /// Whether the row exists and has not expired.
    pub fn is_there(&self, key: &Key) -> bool {
        let stored = match self.writes.get(key) {
            Some(Write::Put(stored)) => Some(stored),
            Some(Write::Delete) => None,
            None => self.base.get(key).and_then(Option::as_ref),
        };
        stored.is_some_and(|stored| stored.expires_at > self.now)
    }

    /// The row, unless it is absent or expired.
    ///
    /// # Panics
    ///
    /// If the step did not name the row.
    pub fn get<R: Row>(&self, key: &Key) -> Result<Option<R>, Unreadable> {
        let stored = match self.writes.get(key) {
            Some(Write::Put(stored)) => Some(stored),
            Some(Write::Delete) => None,
            None => {
                let loaded = self.base.get(key);
                loaded.expect("a step names the rows it reads").as_ref()
            }
        };
        let live = stored.filter(|stored| stored.expires_at > self.now);
        live.map(|stored| R::decode(&stored.value)).transpose()
    }

    /// Stores a row until `expires_at`. An unchanged row is not written.
    pub fn put<R: Row>(&mut self, key: &Key, row: &R, expires_at: Millis) {
        let stored = StoredRow {
            value: row.encode(),
            expires_at,
        };
        let is_as_it_was = !self.writes.contains_key(key)
            && self
                .base
                .get(key)
                .is_some_and(|it| it.as_ref() == Some(&stored));
        if !is_as_it_was {
            self.writes.insert(key.clone(), Write::Put(stored));
        }
    }

    /// Removes a row.
    pub fn delete(&mut self, key: &Key) {
        if matches!(self.base.get(key), Some(None)) {
            self.writes.remove(key);
        } else {
            self.writes.insert(key.clone(), Write::Delete);
        }
    }

    /// Requires that the writes of this run survive the loss of a primary, since they guard
    /// single use: the store then waits for a replica, if it has one.
    pub fn guard_single_use(&mut self) {
        self.guards_single_use = true;
    }

    /// Whether this run writes, and its writes must survive the loss of a primary.
    pub fn guards_single_use(&self) -> bool {
        self.guards_single_use && !self.writes.is_empty()
    }

    /// The writes of this run.
    pub fn into_writes(self) -> BTreeMap<Key, Write> {
        self.writes
    }
}
