//! A step of a verification as a pure function over rows.

use std::collections::BTreeMap;

use crate::{Key, Millis, Row, Unreadable};

/// A row as a store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// The encoded row.
    pub value: Vec<u8>,
    /// From that moment on it counts as absent.
    pub expires_at: Millis,
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// It is stored in place of what was there.
    Put(StoredRow),
    /// It is removed.
    Delete,
}

/// A step: the rows it needs, and what it decides.
///
/// It may run several times before one run is committed, so it neither logs nor
/// counts, and everything random or slow (ids, nonces, signatures, sealed fields,
/// prices) is made before and is part of it.
pub trait Transition: Send + 'static {
    /// What the caller learns.
    type Outcome: Send + 'static;

    /// The rows it needs, as far as those in `rows` tell. Asked again until it names
    /// nothing new, twice at most: a check learns its number from the session.
    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable>;

    /// Decides at `rows.now()`, and writes into `rows`. Where it fails, nothing it
    /// wrote is kept.
    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable>;

    /// Whether its effect must survive the loss of a primary (single use): the store
    /// then waits for a replica where there is one.
    fn guards_single_use(&self) -> bool {
        false
    }
}

/// The rows that one run of a step sees: what was loaded, under what the members of
/// its group wrote before it, under what it writes itself.
pub struct Rows<'a> {
    base: &'a BTreeMap<Key, Option<StoredRow>>,
    writes: BTreeMap<Key, Write>,
    now: Millis,
}

impl<'a> Rows<'a> {
    /// The view over `base`, which holds every row that was asked for (`None` where it
    /// is absent), at the store's time `now`.
    pub fn new(base: &'a BTreeMap<Key, Option<StoredRow>>, now: Millis) -> Self {
        Self {
            base,
            writes: BTreeMap::new(),
            now,
        }
    }

    /// The moment of this run, by the store's clock.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Whether the row was loaded at all: what is not must be named in
    /// [`Transition::keys`] first.
    pub fn is_loaded(&self, key: &Key) -> bool {
        self.writes.contains_key(key) || self.base.contains_key(key)
    }

    /// Whether there is such a row, and it has not expired.
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
    /// Where the step did not name it.
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

    /// Stores a row until `expires_at`. What is as it was is not written.
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

    /// What the run wrote.
    pub fn into_writes(self) -> BTreeMap<Key, Write> {
        self.writes
    }
}
