//! The identity of the opened file.

use std::path::{Path, PathBuf};

pub(super) struct File {
    path: PathBuf,
    id: Option<(u64, u64)>,
}

impl File {
    pub(super) fn opened(path: &Path) -> std::io::Result<Self> {
        let path = std::path::absolute(path)?;
        Ok(Self {
            id: Self::id(&path),
            path,
        })
    }

    /// Device and inode, on systems that have them.
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

    /// Fails if the file was removed or replaced: SQLite would go on with the old one, and
    /// all writes would be lost with the process.
    pub(super) fn check(&self) -> Result<(), super::Error> {
        if Self::id(&self.path) == self.id {
            Ok(())
        } else {
            Err(super::Error::Gone)
        }
    }
}
