//! The key of the hashes, stored beside the SQLite file if the operator sets none.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};

use crate::StoreKeys;

/// Name of the key file, in the store's directory.
const FILE_NAME: &str = "secret.key";

/// Why there is no usable key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The store exists and its key does not: a new key would forget every limit.
    #[error(
        "SECRET_KEY: {path} is missing, and the store beside it was made with it; restore it, or remove the store"
    )]
    Missing {
        /// The key's file.
        path: PathBuf,
    },
    /// The file does not contain a key.
    #[error("SECRET_KEY: the key kept beside the store is not 32 bytes in base64")]
    Malformed,
    /// The file cannot be read or created.
    #[error("SECRET_KEY: {path}: {source}")]
    Unusable {
        /// The key's file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// Path of the key beside the store.
pub fn path(store: &Path) -> PathBuf {
    store.with_file_name(FILE_NAME)
}

/// Reads the key beside the store; creates one if there is no store yet.
pub fn read_or_make(store: &Path) -> Result<SecretString, KeyFileError> {
    if let Some(key) = read(store)? {
        return Ok(key);
    }
    let path = path(store);
    let key = StoreKeys::random_key();
    match create_private(&path, &format!("{}\n", key.expose_secret())) {
        Ok(()) => Ok(key),
        // Another process was faster: use its key.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read_or_make(store),
        Err(source) => Err(KeyFileError::Unusable { path, source }),
    }
}

/// Reads the key beside the store; `None` if there is no store yet either.
pub fn read(store: &Path) -> Result<Option<SecretString>, KeyFileError> {
    let path = path(store);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if fs::metadata(store).is_ok_and(|file| file.len() > 0) {
                return Err(KeyFileError::Missing { path });
            }
            Ok(None)
        }
        Err(source) => Err(KeyFileError::Unusable { path, source }),
    }
}

/// Creates a file that only its owner can read, atomically; an error of the kind
/// `AlreadyExists` if another process was faster.
fn create_private(path: &Path, content: &str) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    // A name that no other process uses, not even a crashed one.
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(std::io::Error::other)?;
    let draft = path.with_extension(format!("{:016x}", u64::from_le_bytes(name)));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    linked
}
