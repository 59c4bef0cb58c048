//! A store that uses another clock than its own.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{Key, Millis};
use countersign_platform::clock::Clock;

use crate::store::{Commit, CommitOutcome, Snapshot, Store, Unavailable};

/// Makes the rules use a test's clock, over a store that has a server's. Rows that the
/// server expires itself still follow the server's clock.
pub struct AtClock {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl AtClock {
    /// Wraps a store so that it uses `clock`.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    fn seen(&self, snapshot: Snapshot) -> Snapshot {
        let now = self.clock.now().into();
        Snapshot { now, ..snapshot }
    }
}

#[async_trait]
impl Store for AtClock {
    async fn load(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        Ok(self.seen(self.store.load(keys).await?))
    }

    async fn load_to_commit(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        Ok(self.seen(self.store.load_to_commit(keys).await?))
    }

    async fn commit(&self, commit: Commit) -> CommitOutcome {
        let left = Millis::from(self.clock.now()).until(commit.deadline);
        let Ok(Snapshot { now, .. }) = self.store.load(&[]).await else {
            return CommitOutcome::NotRun;
        };
        let deadline = now.after(left);
        match self.store.commit(Commit { deadline, ..commit }).await {
            CommitOutcome::Conflict(snapshot) => CommitOutcome::Conflict(self.seen(snapshot)),
            outcome => outcome,
        }
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        self.store.ready().await
    }
}
