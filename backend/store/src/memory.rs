//! An in-memory store, for tests and the simulation.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use countersign_core::{Key, Millis, StoredRow, Write};
use countersign_platform::clock::Clock;

use crate::{
    move_store::Portable,
    store::{Commit, CommitOutcome, Snapshot, Stamp, Store, Unavailable},
};

/// Clones share their rows, like instances that share one server.
#[derive(Clone)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    content: Arc<Mutex<Content>>,
}

#[derive(Default)]
struct Content {
    rows: BTreeMap<Key, (Stamp, StoredRow)>,
    /// A counter serves as the stamp here, because it is never reused.
    last_stamp: u64,
}

impl MemoryStore {
    /// An empty store that uses `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            content: Arc::default(),
        }
    }

    /// [`Store::load`], at once.
    pub fn load_now(&self, keys: &[Key]) -> Snapshot {
        let content = self.content();
        let mut snapshot = Snapshot::new(self.clock.now().into());
        for key in keys {
            snapshot.insert(key.clone(), content.rows.get(key).cloned());
        }
        snapshot
    }

    /// [`Store::commit`], at once.
    pub fn commit_now(&self, commit: &Commit) -> CommitOutcome {
        if commit.is_refused() {
            return CommitOutcome::Rejected;
        }
        if Millis::from(self.clock.now()) >= commit.deadline {
            return CommitOutcome::NotRun;
        }
        let mut content = self.content();
        let stamp_of = |key| content.rows.get(key).map(|(stamp, _)| *stamp);
        let mut compared = commit.compare.iter();
        if !compared.all(|(key, stamp)| stamp_of(key) == *stamp) {
            drop(content);
            let keys: Vec<Key> = commit.compare.keys().cloned().collect();
            return CommitOutcome::Conflict(self.load_now(&keys));
        }
        for (key, write) in &commit.write {
            match write {
                Write::Delete => {
                    content.rows.remove(key);
                }
                Write::Put(row) => {
                    content.last_stamp += 1;
                    let stamp = content.last_stamp.to_be_bytes();
                    content.rows.insert(key.clone(), (stamp, row.clone()));
                }
            }
        }
        CommitOutcome::Done
    }

    /// Removes expired rows.
    pub fn sweep(&self) {
        let now = Millis::from(self.clock.now());
        let mut content = self.content();
        content.rows.retain(|_, (_, row)| row.expires_at > now);
    }

    /// Every row, for checkers.
    pub fn rows(&self) -> BTreeMap<Key, StoredRow> {
        let content = self.content();
        let rows = content.rows.iter();
        rows.map(|(key, (_, row))| (key.clone(), row.clone()))
            .collect()
    }

    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        Ok(self.load_now(keys))
    }

    async fn commit(&self, commit: Commit) -> CommitOutcome {
        self.commit_now(&commit)
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}

#[async_trait]
impl Portable for MemoryStore {
    async fn keys(&self) -> Result<Vec<Key>, Unavailable> {
        Ok(self.rows().into_keys().collect())
    }
}
