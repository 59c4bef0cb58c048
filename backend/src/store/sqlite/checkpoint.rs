//! Takes what is in the log over into the file, beside the steps.
//!
//! SQLite does it within the commit that makes the log long, and whoever waits for
//! that commit waits for thousands of pages to be copied. Here a thread of its own
//! copies them while steps go on, and then what came meanwhile, until only a few
//! pages are left: they are copied between two groups, and the log begins anew.

use std::{
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use rusqlite::{Connection, wal::CheckpointMode};

/// Pages of 4 KiB that the log may hold before it is taken over: 256 MB. From a
/// long one a page that changes often is taken over less often, and steps share
/// the disk with the copying less often.
pub(super) const LONG: i32 = 65_536;

/// Pages that are copied between two groups, in less than a millisecond.
const FEW: i32 = 64;
/// Each time some tenth is left; where steps are faster than the disk it never
/// comes down to a few.
const ROUNDS: usize = 6;

/// Why the thread does not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("{0}")]
    Thread(#[from] std::io::Error),
}

/// See the module.
pub(super) struct Checkpointer {
    /// None only while it is being dropped.
    begin: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    long: i32,
    pages: Arc<AtomicI32>,
    /// Pages of the log that the thread has left in the file.
    in_file: Arc<AtomicI32>,
}

impl Checkpointer {
    /// Starts the thread, for the log that `writer` writes and that is taken over
    /// once it is so many pages `long`.
    pub(super) fn start(
        writer: &mut Connection,
        path: &Path,
        long: i32,
    ) -> Result<Self, StartError> {
        let pages = Arc::new(AtomicI32::new(0));
        let known = pages.clone();
        writer.wal_hook(Some(move |_: &mut _, now| {
            known.store(now, Ordering::Relaxed);
            Ok(())
        }))?;
        let connection = Connection::open(path)?;
        // A connection that has read nothing does not know that there is a log,
        // and copies none of it.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        // Never closed: the locks that SQLite has on the file would go with it
        // (https://sqlite.org/howtocorrupt.html, 2.2).
        let file: &File = Box::leak(Box::new(File::options().append(true).open(path)?));
        let in_file = Arc::new(AtomicI32::new(0));
        let (grown, copied) = (pages.clone(), in_file.clone());
        let (begin, asked) = sync_channel(0);
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || {
                while let Ok(()) = asked.recv() {
                    // What fails now is tried again with the next commit.
                    let pages = copy_most(&connection, file, &grown);
                    copied.store(pages.unwrap_or_default(), Ordering::Release);
                }
            })?;
        Ok(Self {
            begin: Some(begin),
            thread: Some(thread),
            long,
            pages,
            in_file,
        })
    }

    /// Looks at the log after a commit.
    pub(super) fn look(&self, writer: &Connection) {
        if self.in_file.swap(0, Ordering::Acquire) > 0 {
            copy(writer);
        } else if self.pages.load(Ordering::Relaxed) >= self.long
            && let Some(begin) = &self.begin
        {
            // Where that fails, it is at it.
            begin.try_send(()).ok();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.begin = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Copies until few pages are left, and has the file written out: while more is
/// written SQLite leaves that to the last copy, and everybody would wait for it.
/// That copy asks for it once more, so that nothing depends on this one.
fn copy_most(connection: &Connection, file: &File, grown: &AtomicI32) -> Option<i32> {
    let mut in_file = 0;
    for _ in 0..ROUNDS {
        in_file = copy(connection)?;
        let is_written = file.sync_data().is_ok();
        if !is_written || grown.load(Ordering::Relaxed) - in_file <= FEW {
            break;
        }
    }
    Some(in_file)
}

/// Answers how many pages of the log are in the file now.
fn copy(connection: &Connection) -> Option<i32> {
    let copied = connection.wal_checkpoint_v2(Some(rusqlite::MAIN_DB), CheckpointMode::PASSIVE);
    copied.ok().map(|(_, in_file)| in_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_begins_anew_while_more_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file.db");
        let mut writer = Connection::open(&path).unwrap();
        let start = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t (x)";
        writer.execute_batch(start).unwrap();
        let checkpointer = Checkpointer::start(&mut writer, &path, 64).unwrap();
        let (mut rows, mut before, mut begun, mut most) = (0, 0, 0, 0);
        while begun < 3 {
            assert!(rows < 200_000, "{before} pages");
            let write = "INSERT INTO t VALUES (zeroblob(8000))";
            writer.execute_batch(write).unwrap();
            rows += 1;
            most = most.max(checkpointer.in_file.load(Ordering::Acquire));
            checkpointer.look(&writer);
            let pages = checkpointer.pages.load(Ordering::Relaxed);
            begun += i32::from(pages < before);
            before = pages;
            std::thread::yield_now();
        }
        assert!(most >= 64, "the thread copied {most} pages at once");
        drop((checkpointer, writer));
        assert!(!directory.path().join("file.db-wal").exists());
        let file = Connection::open(&path).unwrap();
        let count = "SELECT count(*) FROM t";
        let kept: i32 = file.query_row(count, [], |row| row.get(0)).unwrap();
        assert_eq!(kept, rows);
    }
}
