//! The one thread that writes, and commits what waits in groups: one write to
//! the disk for all of it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{
    cache::Cache,
    checkpoint::{Checkpointer, LONG, StartError},
};
use crate::store::{StoreResult, StoreUnreachable};

/// Steps that may wait. More than sends, checks and all that is bounded where it
/// comes in may be together; behind a disk that does not work, callers must not
/// queue up.
const BACKLOG: usize = 2048;
/// Steps in one commit.
const GROUP: usize = 256;
/// How long a caller waits for a step.
const DEADLINE: Duration = Duration::from_secs(2);

/// What a step must outlive once it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outlives {
    /// The death of this process. Its commit waits for no disk.
    Process,
    /// Also that of the machine.
    Machine,
}

type Finish = Box<dyn FnOnce() + Send>;

type Run = dyn FnOnce(&Transaction<'_>, &mut Cache) -> rusqlite::Result<Option<Finish>> + Send;

struct Job {
    outlives: Outlives,
    run: Box<Run>,
}

/// Takes steps to the thread.
pub(super) struct Writer {
    /// None only while it is being dropped.
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, which has the connection for itself and ends with the
    /// writer.
    pub(super) fn start(mut connection: Connection, path: &Path) -> Result<Self, StartError> {
        let (sender, jobs) = sync_channel(BACKLOG);
        let checkpointer = Checkpointer::start(&mut connection, path, LONG)?;
        let home = Home {
            file: File::at(path)?,
            connection,
            cache: Cache::default(),
            // So it was opened.
            outlives: Outlives::Machine,
        };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || work(home, &checkpointer, &jobs))?;
        Ok(Self {
            jobs: Some(sender),
            thread: Some(thread),
        })
    }

    /// Runs a step. It has happened, and outlives what it must, when this answers.
    pub(super) async fn step<T: Send + 'static>(
        &self,
        outlives: Outlives,
        step: impl FnOnce(&Transaction<'_>, &mut Cache) -> rusqlite::Result<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (reply, answer) = oneshot::channel();
        let run = Box::new(move |transaction: &Transaction<'_>, cache: &mut Cache| {
            // Nobody waits any more: the caller was told that nothing happened.
            if reply.is_closed() {
                return Ok(None);
            }
            let value = step(transaction, cache)?;
            let finish: Finish = Box::new(move || {
                reply.send(value).ok();
            });
            Ok(Some(finish))
        });
        let jobs = self.jobs.as_ref().ok_or(StoreUnreachable)?;
        let job = Job { outlives, run };
        jobs.try_send(job).map_err(|_| StoreUnreachable)?;
        match tokio::time::timeout(DEADLINE, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) | Err(_) => Err(StoreUnreachable),
        }
    }
}

impl Drop for Writer {
    /// Leaves one whole file behind: the last steps are in it, and its log is
    /// gone.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// The file that was opened.
struct File {
    path: PathBuf,
    id: Option<(u64, u64)>,
}

impl File {
    fn at(path: &Path) -> std::io::Result<Self> {
        let path = std::path::absolute(path)?;
        Ok(Self {
            id: Self::id(&path),
            path,
        })
    }

    /// Device and inode, where there are such things.
    fn id(path: &Path) -> Option<(u64, u64)> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.dev(), metadata.ino()))
        }
        #[cfg(not(unix))]
        None
    }

    /// SQLite goes on writing to a file that was removed or replaced, and all of
    /// it would be gone with the process.
    fn is_in_place(&self) -> bool {
        Self::id(&self.path) == self.id
    }
}

/// Why a group was not committed.
#[derive(Debug, thiserror::Error)]
enum CommitError {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("its file was removed or replaced; start again")]
    Gone,
}

/// Where steps are committed.
struct Home {
    file: File,
    connection: Connection,
    cache: Cache,
    /// What commits outlive as the connection is set.
    outlives: Outlives,
}

fn work(mut home: Home, checkpointer: &Checkpointer, jobs: &Receiver<Job>) {
    let mut failing = false;
    let mut group = Vec::with_capacity(GROUP);
    while let Ok(first) = jobs.recv() {
        group.push(first);
        group.extend(jobs.try_iter().take(GROUP - 1));
        let outcome = home.commit(&mut group);
        if outcome.is_err() {
            // Who waits behind them does not wait for the next failure. Whoever comes
            // once these have heard of theirs is a new try.
            group.extend(jobs.try_iter());
        }
        // They hear of it by their answers being dropped.
        group.clear();
        match outcome {
            Ok(finished) => {
                for finish in finished {
                    finish();
                }
                if std::mem::take(&mut failing) {
                    log::info!(event = "store.recovered"; "the store works again");
                }
                checkpointer.look(&home.connection);
            }
            Err(error) => {
                home.cache.forget();
                if !std::mem::replace(&mut failing, true) {
                    log::error!(event = "store.failed"; "the store failed: {error}");
                }
            }
        }
    }
}

impl Home {
    /// All of them or none. What was committed before outlives what this does.
    fn commit(&mut self, group: &mut Vec<Job>) -> Result<Vec<Finish>, CommitError> {
        if !self.file.is_in_place() {
            return Err(CommitError::Gone);
        }
        let outlives = group.iter().map(|job| job.outlives).max();
        self.outlive(outlives.unwrap_or(Outlives::Machine))?;
        let Self {
            connection, cache, ..
        } = self;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        cache.begin(&transaction)?;
        let mut finished = Vec::new();
        for job in group.drain(..) {
            // A panic is a fault of ours: the whole group is undone, the thread stays.
            let outcome = catch_unwind(AssertUnwindSafe(|| (job.run)(&transaction, cache)))
                .unwrap_or(Err(rusqlite::Error::UnwindingPanic))?;
            finished.extend(outcome);
        }
        cache.flush(&transaction)?;
        transaction.commit()?;
        Ok(finished)
    }

    fn outlive(&mut self, outlives: Outlives) -> rusqlite::Result<()> {
        if outlives != self.outlives {
            self.connection.execute_batch(match outlives {
                Outlives::Process => "PRAGMA synchronous = NORMAL",
                Outlives::Machine => "PRAGMA synchronous = FULL",
            })?;
            self.outlives = outlives;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the connection waits for at a commit, as SQLite numbers it.
    const NORMAL: i64 = 1;
    const FULL: i64 = 2;

    fn synchronous(transaction: &Transaction<'_>, _: &mut Cache) -> rusqlite::Result<i64> {
        transaction.pragma_query_value(None, "synchronous", |row| row.get(0))
    }

    #[tokio::test]
    async fn a_group_waits_for_the_disk_where_one_of_its_steps_must() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file.db");
        let connection = Connection::open(&path).unwrap();
        let start = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (x)";
        connection.execute_batch(start).unwrap();
        let writer = Writer::start(connection, &path).unwrap();

        let alone = async |outlives| writer.step(outlives, synchronous).await.unwrap();
        assert_eq!(alone(Outlives::Process).await, NORMAL);
        assert_eq!(alone(Outlives::Machine).await, FULL);
        assert_eq!(alone(Outlives::Process).await, NORMAL);

        // One that holds the thread up until the others wait behind it.
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (entered, holds) = oneshot::channel();
        let first = writer.step(Outlives::Process, move |_, _| {
            entered.send(()).ok();
            gone.recv().ok();
            Ok(())
        });
        let others = async {
            holds.await.unwrap();
            let passing = writer.step(Outlives::Process, synchronous);
            let lasting = writer.step(Outlives::Machine, synchronous);
            let both = async { tokio::join!(passing, lasting) };
            let mut both = std::pin::pin!(both);
            // Polled once, they are in the queue.
            assert!(futures_util::poll!(&mut both).is_pending());
            drop(go);
            both.await
        };
        let (_, (passing, lasting)) = tokio::join!(first, others);
        assert_eq!((passing.unwrap(), lasting.unwrap()), (FULL, FULL));
    }
}
