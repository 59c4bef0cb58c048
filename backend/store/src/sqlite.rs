//! Rows in one SQLite file: there after a restart, a crash and `kill -9`, readable
//! with any SQLite tool, for one process.

mod file;
mod open;
mod reader;
mod sweep;
mod worker;
mod writer;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use countersign_core::{Key, StoredRow};
use rusqlite::{Connection, OptionalExtension};

pub use self::open::{OpenError, check};
use self::{file::File, reader::Reader, worker::Worker, writer::Writer};
use crate::{
    StoreKeys,
    clock::Clock,
    health::Health,
    move_store::Portable,
    store::{Commit, CommitOutcome, Snapshot, Stamp, Store, Unavailable},
};

/// A store in one file.
pub struct SqliteStore {
    // Dropped in this order: the connection that is closed last takes the log over
    // into the file, and the lock goes after it.
    reader: Worker<Reader>,
    writer: Worker<Writer>,
    health: Arc<Health>,
    _file: Arc<File>,
}

/// Why the file was not read or written.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("its file was removed or replaced; put it back, or start again")]
    Gone,
    #[error("its thread has ended")]
    Ended,
}

impl SqliteStore {
    /// Opens the file, or makes it.
    pub fn open(path: &Path, keys: &StoreKeys, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let lock = File::lock(path)?;
        let (writer, reader) = open::open(path, keys)?;
        let unusable = |error: &dyn std::fmt::Display| OpenError::Unusable {
            path: path.to_owned(),
            problem: error.to_string(),
        };
        let file = Arc::new(File::opened(path, lock).map_err(|error| unusable(&error))?);
        let reader = Reader::new(reader, file.clone(), clock.clone());
        let writer = Writer::new(writer, file.clone(), clock).map_err(|error| unusable(&error))?;
        Ok(Self {
            writer: Worker::start("store-writer", writer).map_err(|error| unusable(&error))?,
            reader: Worker::start("store-reader", reader).map_err(|error| unusable(&error))?,
            health: Arc::default(),
            _file: file,
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
        // What the reader sees says nothing about writes.
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

/// One row, as it stands.
fn read(connection: &Connection, key: &Key) -> rusqlite::Result<Option<(Stamp, StoredRow)>> {
    connection
        .prepare_cached("SELECT stamp, expires_at, value FROM row WHERE key = ?1")?
        .query_row([key.as_str()], |row| {
            let stored = StoredRow {
                expires_at: countersign_core::Millis(row.get(1)?),
                value: row.get(2)?,
            };
            Ok((row.get(0)?, stored))
        })
        .optional()
}
