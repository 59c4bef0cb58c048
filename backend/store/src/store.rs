//! The store trait: load, commit and ready, and their types.

use std::collections::BTreeMap;

use async_trait::async_trait;
use countersign_core::{Key, Millis, StoredRow, Unreadable, Write};

/// Longest encoded row that a store accepts. Our longest one has 16 KB.
pub const MAX_VALUE_BYTES: usize = 256 * 1024;

/// Maximum loads in which a transition names its rows. It takes two: for the rows named at
/// first, and for those named once these are known. Each further one means that somebody
/// else's commit has added a row meanwhile; so many in a row, that the transition never
/// stops naming rows.
pub(crate) const MAX_LOADS: u32 = 10;

/// Random bytes at the head of each stored value, new at each write. They alone decide
/// whether a row is unchanged.
pub type Stamp = [u8; 8];

/// Rows read at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// That moment, by the store's clock.
    pub now: Millis,
    /// Every requested row; `None` if it is absent.
    pub rows: BTreeMap<Key, Option<StoredRow>>,
    /// The stamps of the rows present.
    pub stamps: BTreeMap<Key, Stamp>,
    /// The version of the whole store, if it has one.
    pub version: Option<Version>,
}

/// A version of a whole store: while it is the same, no row has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Commits of the connection that reads and writes.
    pub(crate) own: u64,
    /// Changes by others, such as another program.
    pub(crate) foreign: i64,
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

    /// The stamps that a commit based on these rows compares.
    pub fn compare(&self) -> BTreeMap<Key, Option<Stamp>> {
        let stamp = |key: &Key| self.stamps.get(key).copied();
        let keys = self.rows.keys();
        keys.map(|key| (key.clone(), stamp(key))).collect()
    }
}

/// Writes that happen together or not at all.
#[derive(Clone, Debug)]
pub struct Commit {
    /// When the rows that it is based on were read.
    pub now: Millis,
    /// Every row that was read, with the stamp it had.
    pub compare: BTreeMap<Key, Option<Stamp>>,
    /// The store's version when they were read: if it still has it, there is nothing to
    /// compare.
    pub version: Option<Version>,
    /// The writes; each of their keys is also compared.
    pub write: BTreeMap<Key, Write>,
    /// When its callers stop waiting; it must not run later.
    pub deadline: Millis,
    /// Whether it must survive the loss of a primary.
    pub guards_single_use: bool,
}

impl Commit {
    /// Whether a store must refuse it for its content.
    pub(crate) fn is_refused(&self) -> bool {
        let is_too_long = |write: &Write| match write {
            Write::Put(row) => row.value.len() > MAX_VALUE_BYTES,
            Write::Delete => false,
        };
        let mut writes = self.write.iter();
        writes.any(|(key, write)| is_too_long(write) || !self.compare.contains_key(key))
    }

    /// New stamps, as many as it may need.
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
    /// It was committed durably.
    Done,
    /// It was not: a row has changed. Contains the compared rows as they are now.
    Conflict(Snapshot),
    /// It certainly was not committed, for another reason: too late, or the wrong server.
    /// It may be retried.
    NotRun,
    /// It was not committed, and never will be with this content.
    Rejected,
    /// It may have been committed. It is never repeated.
    Unreachable,
}

/// The store cannot be read, or accepts no writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is unavailable")]
pub struct Unavailable;

/// A store of rows. It knows no rule.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Reads the rows of these keys at one moment.
    async fn load(&self, keys: &[Key]) -> Result<Snapshot, Unavailable>;

    /// Reads rows on which a commit will be based: a store with separate reading and
    /// writing connections reads them over the writing one.
    async fn load_to_commit(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        self.load(keys).await
    }

    /// Writes if every compared row still has its stamp.
    async fn commit(&self, commit: Commit) -> CommitOutcome;

    /// Whether it works, including a write: a full disk still answers reads.
    async fn ready(&self) -> Result<(), Unavailable>;
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store was unavailable, or the deadline has passed: nothing was written.
    #[error("the store is unavailable; nothing was written")]
    NotRun,
    /// The answer of its commit was lost: it may have been written.
    #[error("the store did not answer; the step may have been written")]
    Unreachable,
    /// A row that it needs cannot be read. Nothing was written.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The store refused its writes. Nothing was written.
    #[error("the store refused what the step writes")]
    Rejected,
    /// It panicked, or used rows that it did not name. Nothing was written.
    #[error("the step is faulty")]
    Faulty,
}
