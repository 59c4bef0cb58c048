//! The file that was opened, for one process.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::open::{OpenError, private_file};

/// How long a start waits for the process before it to end.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct File {
    path: PathBuf,
    id: Option<(u64, u64)>,
    _lock: std::fs::File,
}

impl File {
    /// Keeps the file for this process. The lock is on a file beside it: closing
    /// one that SQLite has open would take SQLite's own locks with it
    /// (<https://sqlite.org/howtocorrupt.html>, 2.2).
    pub(super) fn lock(path: &Path) -> Result<std::fs::File, OpenError> {
        let path = path.to_owned();
        let unusable = |error: std::io::Error| OpenError::Unusable {
            path: path.clone(),
            problem: error.to_string(),
        };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(unusable)?;
        }
        let mut name = path.clone().into_os_string();
        name.push(".lock");
        let lock = private_file(Path::new(&name)).map_err(unusable)?;
        let started = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(std::fs::TryLockError::WouldBlock) if started.elapsed() < LOCK_TIMEOUT => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(std::fs::TryLockError::WouldBlock) => return Err(OpenError::InUse { path }),
                Err(std::fs::TryLockError::Error(error)) => return Err(unusable(error)),
            }
        }
    }

    pub(super) fn opened(path: &Path, lock: std::fs::File) -> std::io::Result<Self> {
        let path = std::path::absolute(path)?;
        Ok(Self {
            id: Self::id(&path),
            path,
            _lock: lock,
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

    /// SQLite goes on with a file that was removed or replaced, and all that is
    /// written to it would be gone with the process.
    pub(super) fn check(&self) -> Result<(), super::Error> {
        if Self::id(&self.path) == self.id {
            Ok(())
        } else {
            Err(super::Error::Gone)
        }
    }
}
