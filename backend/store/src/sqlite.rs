//! A store in one SQLite file. It survives restarts, crashes and `kill -9`, and any SQLite
//! tool can read it.

mod file;
mod open;
mod reader;
mod sweep;
mod worker;
mod writer;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use countersign_core::{Key, Millis, StoredRow};
use countersign_platform::clock::Clock;
use rusqlite::{Connection, OptionalExtension};

pub use self::open::{OpenError, check};
use self::{file::File, reader::Reader, worker::Worker, writer::Writer};
use crate::{
    StoreKeys,
    health::Health,
    move_store::Portable,
    store::{Commit, CommitOutcome, Snapshot, Store, Unavailable},
};

/// A store in one file. Several processes may have it open at once: the loser of a race
/// gets a conflict, as with any other store.
pub struct SqliteStore {
    // Dropped in this order: the connection that is closed last checkpoints the WAL.
    reader: Worker<Reader>,
    writer: Worker<Writer>,
    health: Arc<Health>,
}

/// Why a read or write failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("its file or the -wal beside it was removed or replaced; put it back, or restart")]
    Gone,
    #[error("its thread has ended")]
    Ended,
    #[error("too many reads wait for it")]
    Busy,
}

impl SqliteStore {
    /// Opens or creates the file.
    pub fn open(path: &Path, keys: &StoreKeys, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (writer, reader) = open::open(path, keys)?;
        let unusable = |error: &dyn std::fmt::Display| OpenError::Unusable {
            path: path.to_owned(),
            problem: error.to_string(),
        };
        let file = Arc::new(File::opened(path).map_err(|error| unusable(&error))?);
        let reader = Reader::new(reader, file.clone(), clock.clone());
        let writer = Writer::new(writer, file, clock).map_err(|error| unusable(&error))?;
        Ok(Self {
            writer: Worker::start("store-writer", writer).map_err(|error| unusable(&error))?,
            reader: Worker::start("store-reader", reader).map_err(|error| unusable(&error))?,
            health: Arc::default(),
        })
    }

    fn noted<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        match &result {
            Ok(_) => self.health.works(),
            Err(error) => self.health.fails(error),
        }
        result
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn load(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        let keys = keys.to_vec();
        let loaded = self.reader.run(move |reader| reader.load(&keys)).await;
        // A read that succeeds does not prove that writes work.
        loaded.map_err(|error| {
            if !matches!(error, Error::Busy) {
                self.health.fails(&error);
            }
            Unavailable
        })
    }

    async fn load_to_commit(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        let keys = keys.to_vec();
        let loaded = self.writer.run(move |writer| writer.load(&keys)).await;
        loaded.map_err(|error| {
            self.health.fails(&error);
            Unavailable
        })
    }

    async fn commit(&self, commit: Commit) -> CommitOutcome {
        if commit.is_refused() {
            return CommitOutcome::Rejected;
        }
        let committed = self.writer.run(move |writer| writer.commit(&commit)).await;
        self.noted(committed)
            .unwrap_or_else(|error| writer::outcome_of(&error))
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        let written = self.writer.run(Writer::prove).await;
        self.noted(written).map_err(|_| Unavailable)
    }
}

#[async_trait]
impl Portable for SqliteStore {
    async fn keys(&self) -> Result<Vec<Key>, Unavailable> {
        let keys = self.reader.run(Reader::keys).await;
        self.noted(keys).map_err(|_| Unavailable)
    }
}

/// Reads rows.
fn snapshot<'a>(
    connection: &Connection,
    keys: impl IntoIterator<Item = &'a Key>,
    clock: &dyn Clock,
) -> rusqlite::Result<Snapshot> {
    let mut snapshot = Snapshot::default();
    let select = "SELECT stamp, expires_at, value FROM row WHERE key = ?1";
    let mut select = connection.prepare_cached(select)?;
    for key in keys {
        let row = select.query_row([key.as_str()], |row| {
            let stored = StoredRow {
                expires_at: Millis(row.get(1)?),
                value: row.get(2)?,
            };
            Ok((row.get(0)?, stored))
        });
        snapshot.insert(key.clone(), row.optional()?);
    }
    // Read after the rows, so that no row is from the future.
    snapshot.now = clock.now().into();
    Ok(snapshot)
}
