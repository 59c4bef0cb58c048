//! The file that was opened.

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
