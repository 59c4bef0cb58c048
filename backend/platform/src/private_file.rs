//! Files that contain keys: readable by their owner only, and created atomically.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{Error, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// Creates a file; fails with `AlreadyExists` if there is one, for instance because
/// another process was faster.
pub fn create(path: &Path, content: &str) -> std::io::Result<()> {
    let draft = Draft::write(path, content, None)?;
    fs::hard_link(&draft.0, path)
}

/// Creates or replaces a file. The new one keeps the old one's owner and mode, so that the
/// service can still read it if root replaced it; if they cannot be kept, nothing is
/// replaced.
pub fn replace(path: &Path, content: &str) -> std::io::Result<()> {
    // A symbolic link stays: its target is replaced.
    let (path, before) = match fs::canonicalize(path) {
        Ok(path) => {
            let before = fs::metadata(&path)?;
            (path, Some(before))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => (path.to_owned(), None),
        Err(error) => return Err(error),
    };
    let draft = Draft::write(&path, content, before.as_ref())?;
    fs::rename(&draft.0, &path)
}

/// A temporary file with a name that no other process uses, not even a crashed one.
/// Removed when dropped.
struct Draft(PathBuf);

impl Draft {
    fn write(path: &Path, content: &str, before: Option<&Metadata>) -> std::io::Result<Self> {
        let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(Error::other)?;
        let draft = path.with_extension(format!("{:016x}", u64::from_le_bytes(name)));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft)?;
        let draft = Self(draft);
        match before {
            Some(before) => belong_like(&file, before)?,
            None => belong_where_it_is(&file, directory)?,
        }
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // If it was renamed, it does not exist any more.
        fs::remove_file(&self.0).ok();
    }
}

#[cfg(unix)]
fn belong_like(file: &File, before: &Metadata) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
        fchown(file, Some(before.uid()), Some(before.gid())).map_err(|error| {
            Error::new(
                error.kind(),
                format!(
                    "its owner {}:{} cannot be kept ({error}); do it as that user or as root",
                    before.uid(),
                    before.gid()
                ),
            )
        })?;
    }
    file.set_permissions(before.permissions())
}

/// A file that root creates gets the owner of its directory: the service that owns the
/// directory has to read it.
#[cfg(unix)]
fn belong_where_it_is(file: &File, directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let (made, directory) = (file.metadata()?, fs::metadata(directory)?);
    if made.uid() == 0 && directory.uid() != 0 {
        fchown(file, Some(directory.uid()), Some(directory.gid()))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn belong_like(file: &File, before: &Metadata) -> std::io::Result<()> {
    file.set_permissions(before.permissions())
}

#[cfg(not(unix))]
fn belong_where_it_is(_: &File, _: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn files(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn replacing_a_file_keeps_its_mode_and_its_link() {
        let home = tempfile::tempdir().unwrap();
        let (real, link) = (home.path().join("real.json"), home.path().join("link.json"));
        replace(&real, "first").unwrap();
        assert_eq!(mode(&real), 0o600);
        symlink(&real, &link).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&link, "second").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "second");
        assert_eq!(mode(&real), 0o640);
        assert_eq!(
            create(&real, "third").unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        // A directory cannot be replaced.
        replace(home.path(), "fourth").unwrap_err();
        assert_eq!(files(home.path()), 2);
    }

    #[test]
    fn files_that_root_replaces_or_creates_keep_their_owner() {
        if !rustix::process::geteuid().is_root() {
            // Only root can change a file's owner.
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("keys.json");
        let owner = |path: &Path| {
            let metadata = fs::metadata(path).unwrap();
            (metadata.uid(), metadata.gid())
        };
        replace(&path, "of root").unwrap();
        assert_eq!(owner(&path), (0, 0));
        chown(&path, Some(65_534), Some(1)).unwrap();
        replace(&path, "of nobody").unwrap();
        assert_eq!(owner(&path), (65_534, 1));
        chown(home.path(), Some(65_533), Some(2)).unwrap();
        let made = home.path().join("made.key");
        create(&made, "new").unwrap();
        assert_eq!(owner(&made), (65_533, 2));
    }
}

/// Who else besides the owner can access a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Nobody, or the group can read it.
    Private,
    /// Everybody can read it.
    Readable,
    /// Others can write it.
    Writable,
}

/// The exposure according to the file's mode. Missing and special files count as private.
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
