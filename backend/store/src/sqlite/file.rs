//! The identity of the opened file, and of the WAL beside it.

use std::path::{Path, PathBuf};

/// Device and inode.
type Id = (u64, u64);

pub(super) struct File {
    /// The WAL contains every commit since the last checkpoint. SQLite keeps it until the
    /// last connection is closed.
    parts: [(PathBuf, Option<Id>); 2],
}

impl File {
    /// Identifies a file that SQLite has open.
    pub(super) fn opened(path: &Path) -> std::io::Result<Self> {
        let path = std::path::absolute(path)?;
        let mut wal = path.clone().into_os_string();
        wal.push("-wal");
        let parts = [path, wal.into()].map(|path| {
            let id = id(&path);
            (path, id)
        });
        Ok(Self { parts })
    }

    /// Fails if one of them was removed or replaced: SQLite would go on with the old one,
    /// and all writes would be lost with the process.
    pub(super) fn check(&self) -> Result<(), super::Error> {
        if self.parts.iter().all(|(path, opened)| id(path) == *opened) {
            Ok(())
        } else {
            Err(super::Error::Gone)
        }
    }
}

/// `None` on systems without device and inode numbers.
fn id(path: &Path) -> Option<Id> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    None
}
