//! The image's only layer, with all its files.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};

/// User id of the program. Numeric only: there is no `/etc/passwd`.
pub const USER: u64 = 65_532;

/// A directory or file in the image.
pub struct Entry {
    path: String,
    mode: u32,
    owner: u64,
    /// Absent for a directory.
    content: Option<Vec<u8>>,
}

impl Entry {
    /// A directory owned by root.
    pub fn directory(path: &str) -> Self {
        Self::new(path, 0o755, None)
    }

    /// A file owned by root.
    pub fn file(path: &str, content: Vec<u8>) -> Self {
        Self::new(path, 0o644, Some(content))
    }

    /// The entry with other permissions.
    #[must_use]
    pub fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// The entry owned by the program's user.
    #[must_use]
    pub fn of_user(self) -> Self {
        Self {
            owner: USER,
            ..self
        }
    }

    fn new(path: &str, mode: u32, content: Option<Vec<u8>>) -> Self {
        Self {
            path: path.to_owned(),
            mode,
            owner: 0,
            content,
        }
    }
}

/// A tar archive of the entries, in order. Reproducible: it contains no time and no user
/// name.
pub fn tar(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for entry in entries {
        let content = entry.content.as_deref();
        let mut header = Header::new_ustar();
        header.set_entry_type(if content.is_some() {
            EntryType::Regular
        } else {
            EntryType::Directory
        });
        header.set_mode(entry.mode);
        header.set_uid(entry.owner);
        header.set_gid(entry.owner);
        header.set_mtime(0);
        header.set_size(content.map_or(0, |content| content.len() as u64));
        archive.append_data(&mut header, &entry.path, content.unwrap_or_default())?;
    }
    archive.into_inner()
}

/// Compresses it, without a time or name in the header.
pub fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}
