//! A file of the operator's that is reloaded when it changes.

use std::{
    fs::{self, Metadata},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::SystemTime,
};

/// Parses the file's text; an error is one line.
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

    /// Reloads the file. Returns `None` if it is unchanged. If it cannot be read, the
    /// previous value stays, and the error is returned once.
    pub fn reload(&self) -> Option<Result<(), String>> {
        let metadata = fs::metadata(&self.path).ok().map(|it| Seen::of(&it));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == metadata {
            return None;
        }
        *seen = metadata;
        Some(read(&self.path, &self.parse).map(|value| {
            let mut known = self.value.write().unwrap_or_else(PoisonError::into_inner);
            *known = Arc::new(value);
        }))
    }
}

fn read<T>(path: &Path, parse: &Parse<T>) -> Result<T, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("cannot read the file {}: {error}", path.display()))?;
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
        fs::remove_file(&path).unwrap();
    }
}
