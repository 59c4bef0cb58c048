//! The writing connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use countersign_core::{Key, Millis, Write};
use countersign_platform::clock::Clock;
use rusqlite::{
    Connection, ErrorCode, Transaction, TransactionBehavior, params, wal::CheckpointMode,
};

use super::{Error, file::File, snapshot, sweep::Sweep, worker::Work};
use crate::store::{Commit, CommitOutcome, Snapshot, Stamp, Version};

/// WAL size in pages from which a checkpoint is run: 1 MB. With 4 MB, p99 at 500 sends a
/// second is half as long again; with less, nothing is gained.
const CHECKPOINT_PAGES: i32 = 250;

pub(super) struct Writer {
    connection: Connection,
    file: Arc<File>,
    clock: Arc<dyn Clock>,
    /// Pages in the WAL after the last commit.
    pages: Arc<AtomicI32>,
    sweep: Sweep,
    /// Transactions of this connection that may have changed a row.
    commits: u64,
}

impl Writer {
    pub(super) fn new(
        mut connection: Connection,
        file: Arc<File>,
        clock: Arc<dyn Clock>,
    ) -> rusqlite::Result<Self> {
        let pages = Arc::new(AtomicI32::new(0));
        let counted = pages.clone();
        connection.wal_hook(Some(move |_: &mut _, pages| {
            counted.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            connection,
            file,
            clock,
            pages,
            sweep: Sweep::default(),
            commits: 0,
        })
    }

    /// Reads rows over this connection, whose cache holds its latest writes.
    pub(super) fn load(&mut self, keys: &[Key]) -> Result<Snapshot, Error> {
        self.file.check()?;
        let transaction = self.connection.transaction()?;
        Ok(Snapshot {
            version: Some(version(&transaction, self.commits)?),
            ..snapshot(&transaction, keys, &*self.clock)?
        })
    }

    pub(super) fn commit(&mut self, commit: &Commit) -> Result<CommitOutcome, Error> {
        self.file.check()?;
        let transaction = begin(&mut self.connection)?;
        if Millis::from(self.clock.now()) >= commit.deadline {
            return Ok(CommitOutcome::NotRun);
        }
        let version = version(&transaction, self.commits)?;
        if commit.version != Some(version) && !is_unchanged(&transaction, commit)? {
            return Ok(CommitOutcome::Conflict(Snapshot {
                version: Some(version),
                ..snapshot(&transaction, commit.compare.keys(), &*self.clock)?
            }));
        }
        self.commits += 1;
        write(&transaction, commit)?;
        transaction.commit()?;
        Ok(CommitOutcome::Done)
    }

    /// Proves that writes work: a full disk refuses them.
    pub(super) fn prove(&mut self) -> Result<(), Error> {
        self.file.check()?;
        let transaction = begin(&mut self.connection)?;
        let write = "UPDATE store SET written_at = max(written_at + 1, ?1)";
        transaction.execute(write, [Millis::from(self.clock.now()).0])?;
        Ok(transaction.commit()?)
    }
}

impl Work for Writer {
    /// Checkpoints after the answers: within a commit it would make callers wait.
    fn maintain(&mut self) -> Duration {
        if self.pages.load(Ordering::Relaxed) >= CHECKPOINT_PAGES {
            // A failure is retried after the next commit.
            let main = Some(rusqlite::MAIN_DB);
            let copied = self
                .connection
                .wal_checkpoint_v2(main, CheckpointMode::PASSIVE);
            if copied.is_ok() {
                self.pages.store(0, Ordering::Relaxed);
            }
        }
        self.sweep
            .advance(&self.connection, self.clock.now().into())
    }
}

fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// The version of the file, as seen over a connection that has made that many commits.
fn version(transaction: &Transaction<'_>, commits: u64) -> rusqlite::Result<Version> {
    let mut changes = transaction.prepare_cached("PRAGMA data_version")?;
    Ok(Version {
        own: commits,
        foreign: changes.query_row([], |row| row.get(0))?,
    })
}

/// Whether every row that was read still has its stamp.
fn is_unchanged(transaction: &Transaction<'_>, commit: &Commit) -> rusqlite::Result<bool> {
    let mut stamp = transaction.prepare_cached("SELECT stamp FROM row WHERE key = ?1")?;
    for (key, expected) in &commit.compare {
        let mut rows = stamp.query([key.as_str()])?;
        let stored: Option<Stamp> = rows.next()?.map(|row| row.get(0)).transpose()?;
        if stored != *expected {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write(transaction: &Transaction<'_>, commit: &Commit) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO row (key, stamp, expires_at, value) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (key) DO UPDATE SET
         stamp = excluded.stamp, expires_at = excluded.expires_at, value = excluded.value",
    )?;
    let mut delete = transaction.prepare_cached("DELETE FROM row WHERE key = ?1")?;
    for ((key, write), stamp) in commit.write.iter().zip(commit.stamps()) {
        match write {
            Write::Delete => delete.execute([key.as_str()])?,
            Write::Put(row) => {
                // SQLite's largest integer.
                let expires_at = i64::try_from(row.expires_at.0).unwrap_or(i64::MAX);
                put.execute(params![key.as_str(), stamp, expires_at, row.value])?
            }
        };
    }
    Ok(())
}

/// Classifies a failed commit.
pub(super) fn outcome_of(error: &Error) -> CommitOutcome {
    let Error::Sqlite(error) = error else {
        return CommitOutcome::Unreachable;
    };
    match error.sqlite_error_code() {
        // Another program has locked the file.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => CommitOutcome::NotRun,
        Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => {
            CommitOutcome::Rejected
        }
        _ => CommitOutcome::Unreachable,
    }
}
