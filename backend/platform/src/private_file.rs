//! Files with keys in them: for their owner's eyes only, and there whole or not
//! at all.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

/// Makes a file that is not there yet; an error of the kind `AlreadyExists` where
/// another process was faster.
pub fn create(path: &Path, content: &str) -> std::io::Result<()> {
    let draft = draft(path, content)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    linked
}

/// Makes a file or puts another in its place.
pub fn replace(path: &Path, content: &str) -> std::io::Result<()> {
    let draft = draft(path, content)?;
    fs::rename(&draft, path)
}

/// The content, under a name that no other process has, also not one that died
/// here.
fn draft(path: &Path, content: &str) -> std::io::Result<PathBuf> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(std::io::Error::other)?;
    let draft = path.with_extension(format!("{:016x}", u64::from_le_bytes(name)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    Ok(draft)
}

/// Who beside its owner may do something with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Nobody, or the group may read it.
    Private,
    /// Everybody may read it.
    Readable,
    /// Others may write it.
    Writable,
}

/// Who may, by the file's mode. What is no plain file, or is not there, is not judged.
pub fn exposure(path: &Path) -> Exposure {
    #[cfg(unix)]
    if let Ok(file) = fs::metadata(path)
        && file.is_file()
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.permissions());
        if mode & 0o022 != 0 {
            return Exposure::Writable;
        }
        if mode & 0o004 != 0 {
            return Exposure::Readable;
        }
    }
    Exposure::Private
}
