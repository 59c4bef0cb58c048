//! A file of the operator's that is reloaded when it changes.

use std::{
    fs::{self, File, Metadata},
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::SystemTime,
};

/// As long as a file may be: some ten times what is in use.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Reads the file's text; what is wrong with it is one line.
type Parse<T> = Box<dyn Fn(&str) -> Result<T, String> + Send + Sync>;

/// The value of a file, as last read.
pub struct Reloading<T> {
    path: PathBuf,
    parse: Parse<T>,
    seen: Mutex<Option<Seen>>,
    value: RwLock<Arc<T>>,
}

/// Metadata that changes with the content, so that it need not be read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(metadata),
            #[cfg(not(unix))]
            inode: 0,
        }
    }
}

impl<T> Reloading<T> {
    /// Reads the file for the first time.
    pub fn open(
        path: PathBuf,
        parse: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let parse: Parse<T> = Box::new(parse);
        // Metadata first: a change during the read is noticed by the next reload.
        let seen = fs::metadata(&path).ok().map(|it| Seen::of(&it));
        let value = read(&path, &parse)?;
        Ok(Self {
            path,
            parse,
            seen: Mutex::new(seen),
            value: RwLock::new(Arc::new(value)),
        })
    }

    /// The current value.
    pub fn get(&self) -> Arc<T> {
        let value = self.value.read();
        value.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it is held against has changed: it is read again at the next look.
    pub fn forget(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = None;
    }

    /// Reads it again where it has changed. Answers nothing where it has not, or is being
    /// written just now; where it cannot be read, what was known stays, and why is told
    /// once.
    pub fn reload(&self) -> Option<Result<(), String>> {
        let look = || fs::metadata(&self.path).ok().map(|it| Seen::of(&it));
        let before = look();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == before {
            return None;
        }
        let value = read(&self.path, &self.parse);
        if look() != before {
            return None;
        }
        *seen = before;
        Some(value.map(|value| {
            let mut known = self.value.write().unwrap_or_else(PoisonError::into_inner);
            *known = Arc::new(value);
        }))
    }
}

fn read<T>(path: &Path, parse: &Parse<T>) -> Result<T, String> {
    let unreadable = |error| format!("cannot read the file {}: {error}", path.display());
    let file = File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    let length = file.take(MAX_BYTES + 1).read_to_string(&mut text);
    if length.map_err(unreadable)? as u64 > MAX_BYTES {
        return Err(format!("{} is longer than 64 MiB", path.display()));
    }
    parse(&text).map_err(|problem| format!("{}: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_reloaded_and_a_wrong_one_keeps_the_value() {
        let name = format!("countersign-reloading-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let parse = |text: &str| {
            text.trim()
                .parse::<u32>()
                .map_err(|_| "no number".to_owned())
        };
        fs::write(&path, "1").unwrap();
        let file = Reloading::open(path.clone(), parse).unwrap();
        assert_eq!((*file.get(), file.reload()), (1, None));
        fs::write(&path, "22").unwrap();
        assert_eq!((file.reload(), *file.get()), (Some(Ok(())), 22));
        fs::write(&path, "wrong").unwrap();
        assert!(file.reload().is_some_and(|it| it.is_err()));
        assert_eq!((file.reload(), *file.get()), (None, 22));
        fs::remove_file(&path).unwrap();
        assert!(file.reload().is_some_and(|it| it.is_err()));
        assert_eq!((file.reload(), *file.get()), (None, 22));
        fs::write(&path, "3").unwrap();
        assert_eq!((file.reload(), *file.get()), (Some(Ok(())), 3));
        let long = File::create(&path).unwrap();
        long.set_len(MAX_BYTES + 1).unwrap();
        let problem = file.reload().unwrap().unwrap_err();
        assert!(problem.ends_with("is longer than 64 MiB"), "{problem}");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again_at_the_next_look() {
        let name = format!("countersign-written-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let written = path.clone();
        let parse = move |text: &str| {
            if text == "half" {
                fs::write(&written, "half and the rest").unwrap();
            }
            Ok(text.to_owned())
        };
        fs::write(&path, "before").unwrap();
        let file = Reloading::open(path.clone(), parse).unwrap();
        fs::write(&path, "half").unwrap();
        assert_eq!((file.reload(), file.get().as_str()), (None, "before"));
        assert_eq!(file.reload(), Some(Ok(())));
        assert_eq!(file.get().as_str(), "half and the rest");
        fs::remove_file(&path).unwrap();
    }
}
