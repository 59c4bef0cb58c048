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

/// Steps that may wait. More than a disk that works ever has; behind one that
/// does not, callers must not queue up.
const BACKLOG: usize = 1024;
/// Steps in one commit.
const GROUP: usize = 256;
/// How long a caller waits for a step.
const DEADLINE: Duration = Duration::from_secs(2);

type Finish = Box<dyn FnOnce() + Send>;
type Job = Box<dyn FnOnce(&Transaction<'_>, &mut Cache) -> rusqlite::Result<Option<Finish>> + Send>;

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
        let file = File::at(path)?;
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || work(connection, &checkpointer, &file, &jobs))?;
        Ok(Self {
            jobs: Some(sender),
            thread: Some(thread),
        })
    }

    /// Runs a step. It has happened, and is on the disk, when this answers.
    pub(super) async fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Transaction<'_>, &mut Cache) -> rusqlite::Result<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |transaction, cache| {
            // Nobody waits any more: the caller was told that nothing happened.
            if reply.is_closed() {
                return Ok(None);
            }
            let value = step(transaction, cache)?;
            Ok(Some(Box::new(move || {
                reply.send(value).ok();
            })))
        });
        let jobs = self.jobs.as_ref().ok_or(StoreUnreachable)?;
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

fn work(
    mut connection: Connection,
    checkpointer: &Checkpointer,
    file: &File,
    jobs: &Receiver<Job>,
) {
    let mut failing = false;
    let mut cache = Cache::default();
    while let Ok(first) = jobs.recv() {
        let group = std::iter::once(first).chain(jobs.try_iter().take(GROUP - 1));
        match commit(&mut connection, &mut cache, file, group) {
            Ok(finished) => {
                for finish in finished {
                    finish();
                }
                if std::mem::take(&mut failing) {
                    log::info!(event = "store.recovered"; "the store works again");
                }
                checkpointer.look(&connection);
            }
            // Those who wait hear of it by their answers being dropped.
            Err(error) => {
                cache.forget();
                jobs.try_iter().for_each(drop);
                if !std::mem::replace(&mut failing, true) {
                    log::error!(event = "store.failed"; "the store failed: {error}");
                }
            }
        }
    }
}

/// All of them or none.
fn commit(
    connection: &mut Connection,
    cache: &mut Cache,
    file: &File,
    group: impl Iterator<Item = Job>,
) -> Result<Vec<Finish>, CommitError> {
    if !file.is_in_place() {
        return Err(CommitError::Gone);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    cache.begin(&transaction)?;
    let mut finished = Vec::new();
    for job in group {
        // A panic is a fault of ours: the whole group is undone, the thread stays.
        let outcome = catch_unwind(AssertUnwindSafe(|| job(&transaction, cache)))
            .unwrap_or(Err(rusqlite::Error::UnwindingPanic))?;
        finished.extend(outcome);
    }
    cache.flush(&transaction)?;
    transaction.commit()?;
    Ok(finished)
}
