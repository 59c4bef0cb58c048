//! What a store is: three methods, and the words they use.

use std::collections::BTreeMap;

use async_trait::async_trait;
use countersign_core::{Key, Millis, StoredRow, Unreadable, Write};

/// Longest encoded row that a store takes. The longest row of ours has 16 KB.
pub const MAX_VALUE_BYTES: usize = 256 * 1024;

/// Random bytes at the head of each stored value, new at each write: whether a row
/// is still as it was read is decided by them alone.
pub type Stamp = [u8; 8];

/// Rows at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// That moment, by the store's clock.
    pub now: Millis,
    /// Every row that was asked for; `None` where there is none.
    pub rows: BTreeMap<Key, Option<StoredRow>>,
    /// The stamps of those that are there.
    pub stamps: BTreeMap<Key, Stamp>,
}

impl Snapshot {
    pub(crate) fn new(now: Millis) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    pub(crate) fn insert(&mut self, key: Key, stored: Option<(Stamp, StoredRow)>) {
        if let Some((stamp, _)) = &stored {
            self.stamps.insert(key.clone(), *stamp);
        }
        self.rows.insert(key, stored.map(|(_, row)| row));
    }

    /// What a commit that rests on these rows compares.
    pub fn compare(&self) -> BTreeMap<Key, Option<Stamp>> {
        let stamp = |key: &Key| self.stamps.get(key).copied();
        let keys = self.rows.keys();
        keys.map(|key| (key.clone(), stamp(key))).collect()
    }
}

/// Writes that happen together or not at all.
#[derive(Clone, Debug)]
pub struct Commit {
    /// When the rows were read that it rests on.
    pub now: Millis,
    /// Every row that was read, with the stamp it had.
    pub compare: BTreeMap<Key, Option<Stamp>>,
    /// What is written; each key of it is compared, too.
    pub write: BTreeMap<Key, Write>,
    /// From that moment on nobody waits for it, and it must not happen any more.
    pub deadline: Millis,
    /// Whether it must survive the loss of a primary.
    pub guards_single_use: bool,
}

impl Commit {
    /// Whether the store must refuse it for its content.
    pub(crate) fn is_refused(&self) -> bool {
        let is_too_long = |write: &Write| match write {
            Write::Put(row) => row.value.len() > MAX_VALUE_BYTES,
            Write::Delete => false,
        };
        let mut writes = self.write.iter();
        writes.any(|(key, write)| is_too_long(write) || !self.compare.contains_key(key))
    }

    /// As many stamps as it may need.
    pub(crate) fn stamps(&self) -> impl Iterator<Item = Stamp> + use<> {
        let mut stamps = vec![Stamp::default(); self.write.len()];
        getrandom::fill(stamps.as_flattened_mut())
            .expect("the operating system gives random bytes");
        stamps.into_iter()
    }
}

/// How a commit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It happened, and lasts.
    Done,
    /// It did not: a row has changed. The rows it compared, as they are now.
    Conflict(Snapshot),
    /// It certainly did not happen, for another reason: too late, or the server was
    /// not the one to ask. It may be tried again.
    NotRun,
    /// It did not happen, and never will with this content.
    Rejected,
    /// It may have happened. It is never repeated.
    Unreachable,
}

/// The store cannot be read, or takes no writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is unavailable")]
pub struct Unavailable;

/// A home of rows.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The rows of these keys, read at one moment.
    async fn load(&self, keys: &[Key]) -> Result<Snapshot, Unavailable>;

    /// Writes if every compared row still has its stamp.
    async fn commit(&self, commit: Commit) -> CommitOutcome;

    /// Whether it works. Writes: a full disk still answers reads.
    async fn ready(&self) -> Result<(), Unavailable>;
}

/// Why a step has no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store was unavailable, or nobody waits any more: nothing was written.
    #[error("the store is unavailable; nothing was written")]
    NotRun,
    /// The answer of its commit was lost: it may have been written.
    #[error("the store did not answer; the step may have been written")]
    Unreachable,
    /// A row that it needs cannot be read. Nothing was written.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The store does not take what it writes. Nothing was written.
    #[error("the store refused what the step writes")]
    Rejected,
    /// It panicked, or used rows that it did not name. Nothing was written.
    #[error("the step is faulty")]
    Faulty,
}
