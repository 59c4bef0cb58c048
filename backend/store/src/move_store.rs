//! Copies all rows from one store to another, with the service stopped.

use std::time::Duration;

use async_trait::async_trait;
use countersign_core::{Key, Write};

use crate::store::{Commit, CommitOutcome, Store, Unavailable};

/// Rows copied at once.
const CHUNK: usize = 256;
/// Timeout of one chunk.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(10);

/// A store whose keys can be listed.
#[async_trait]
pub trait Portable: Store {
    /// Every key, including those of expired rows that are not removed yet.
    async fn keys(&self) -> Result<Vec<Key>, Unavailable>;
}

/// Why rows were not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The target has rows already: another service's, or those of an interrupted move.
    #[error("the target holds rows already; empty it first")]
    NotEmpty,
    /// A store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A commit failed. The target contains part of the rows.
    #[error("the target did not take the rows; empty it and begin again")]
    NotTaken,
}

/// Copies every live row of `from`, which is not changed, and returns their number.
pub async fn move_store(from: &dyn Portable, to: &dyn Portable) -> Result<usize, MoveError> {
    if !to.keys().await?.is_empty() {
        return Err(MoveError::NotEmpty);
    }
    let mut moved = 0;
    for keys in from.keys().await?.chunks(CHUNK) {
        let source = from.load(keys).await?;
        let target = to.load(keys).await?;
        let rows = source.rows.into_iter();
        let live = rows.filter_map(|(key, row)| {
            let row = row.filter(|row| row.expires_at > target.now)?;
            Some((key, Write::Put(row)))
        });
        let commit = Commit {
            now: target.now,
            compare: target.compare(),
            version: target.version,
            write: live.collect(),
            deadline: target.now.after(CHUNK_TIMEOUT),
            guards_single_use: true,
        };
        moved += commit.write.len();
        if to.commit(commit).await != CommitOutcome::Done {
            return Err(MoveError::NotTaken);
        }
    }
    Ok(moved)
}
