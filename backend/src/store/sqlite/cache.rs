//! Rows in memory, so that a group of steps reads each once and writes each once:
//! whatever is sent counts for its country and in all, and they would be written
//! with every step.

use std::collections::{HashMap, hash_map::Entry};

use rusqlite::Transaction;

use crate::store::{
    conversion::Conversion, millis::Millis, number::Number, record::Record, vault::Hash,
    window::Uses,
};

/// Rows that are kept in memory between groups, of each kind.
const MOST: usize = 2048;

/// Where a row stands in its table, and when it goes.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) row: i64,
    pub(super) forget_at: Millis,
}

/// A kind of row, found by the hash that names it.
pub(super) trait Row: Sized {
    fn read(transaction: &Transaction<'_>, id: &Hash) -> rusqlite::Result<Option<(Place, Self)>>;

    /// Writes it, where it stands or anew; answers where it stands now.
    fn write(
        &self,
        transaction: &Transaction<'_>,
        id: &Hash,
        place: Option<Place>,
    ) -> rusqlite::Result<Place>;
}

struct Slot<R> {
    /// None where there is no such row.
    row: Option<R>,
    place: Option<Place>,
    is_changed: bool,
}

/// The rows of one kind.
pub(super) struct Rows<R> {
    slots: HashMap<Hash, Slot<R>>,
    /// Those that are not written yet.
    changed: Vec<Hash>,
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self {
            slots: HashMap::new(),
            changed: Vec::new(),
        }
    }
}

impl<R: Row> Rows<R> {
    fn slot<'s>(
        slots: &'s mut HashMap<Hash, Slot<R>>,
        transaction: &Transaction<'_>,
        id: Hash,
    ) -> rusqlite::Result<&'s mut Slot<R>> {
        Ok(match slots.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                let (place, row) = R::read(transaction, &id)?.unzip();
                free.insert(Slot {
                    row,
                    place,
                    is_changed: false,
                })
            }
        })
    }

    /// The row, if there is one.
    pub(super) fn get(
        &mut self,
        transaction: &Transaction<'_>,
        id: Hash,
    ) -> rusqlite::Result<Option<&R>> {
        Ok(Self::slot(&mut self.slots, transaction, id)?.row.as_ref())
    }

    /// Puts the row there.
    pub(super) fn set(
        &mut self,
        transaction: &Transaction<'_>,
        id: Hash,
        row: R,
    ) -> rusqlite::Result<()> {
        self.changing(transaction, id)?.row = Some(row);
        Ok(())
    }

    /// The slot, which will be written with its group.
    fn changing(
        &mut self,
        transaction: &Transaction<'_>,
        id: Hash,
    ) -> rusqlite::Result<&mut Slot<R>> {
        let slot = Self::slot(&mut self.slots, transaction, id)?;
        if !std::mem::replace(&mut slot.is_changed, true) {
            self.changed.push(id);
        }
        Ok(slot)
    }

    fn flush(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        for id in self.changed.drain(..) {
            let Some(slot) = self.slots.get_mut(&id) else {
                continue;
            };
            if let Some(row) = &slot.row {
                slot.place = Some(row.write(transaction, &id, slot.place)?);
            }
            slot.is_changed = false;
        }
        if self.slots.len() > MOST {
            self.slots.clear();
        }
        Ok(())
    }
}

impl<R: Row + Default> Rows<R> {
    /// The row, or an empty one. What is only tidied is not written.
    pub(super) fn look(
        &mut self,
        transaction: &Transaction<'_>,
        id: Hash,
    ) -> rusqlite::Result<&mut R> {
        let slot = Self::slot(&mut self.slots, transaction, id)?;
        Ok(slot.row.get_or_insert_default())
    }

    /// The row, or an empty one, to be changed.
    pub(super) fn edit(
        &mut self,
        transaction: &Transaction<'_>,
        id: Hash,
    ) -> rusqlite::Result<&mut R> {
        let slot = self.changing(transaction, id)?;
        Ok(slot.row.get_or_insert_default())
    }
}

/// The rows of every kind.
#[derive(Default)]
pub(super) struct Cache {
    pub(super) sessions: Rows<Record>,
    pub(super) numbers: Rows<Number>,
    pub(super) uses: Rows<Uses>,
    pub(super) conversions: Rows<Conversion>,
    /// SQLite's count of what others have written.
    version: i64,
}

impl Cache {
    /// Forgets what another program may have changed since.
    pub(super) fn begin(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let version = transaction
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        if version != self.version {
            self.version = version;
            self.forget();
        }
        Ok(())
    }

    /// Writes what was changed.
    pub(super) fn flush(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        self.numbers.flush(transaction)?;
        self.uses.flush(transaction)?;
        self.conversions.flush(transaction)?;
        self.sessions.flush(transaction)
    }

    /// Writes what was changed, and forgets all of it: rows are about to change
    /// behind its back.
    pub(super) fn close(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        self.flush(transaction)?;
        self.forget();
        Ok(())
    }

    /// Forgets all of it, also what was changed.
    pub(super) fn forget(&mut self) {
        *self = Self {
            version: self.version,
            ..Self::default()
        };
    }
}
