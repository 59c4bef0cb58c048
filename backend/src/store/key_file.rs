//! The key of the hashes, kept beside the SQLite file where the operator gives
//! none.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};

use super::Vault;
use countersign_platform::private_file;

/// The key's file, in the directory of the store's.
const NAME: &str = "secret.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The store is there and its key is not: a new one would forget every limit.
    #[error(
        "SECRET_KEY: {path} is missing, and the store beside it was made with it; restore it, or remove the store"
    )]
    Missing {
        /// The key's file.
        path: PathBuf,
    },
    /// What is in the file is no key.
    #[error("SECRET_KEY: the key kept beside the store is not 32 bytes in base64")]
    Malformed,
    /// The file cannot be read or made.
    #[error("SECRET_KEY: {path}: {source}")]
    Unusable {
        /// The key's file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// The key beside the store; a new one where there is no store yet.
pub fn read_or_make(store: &Path) -> Result<SecretString, KeyFileError> {
    if let Some(key) = read(store)? {
        return Ok(key);
    }
    let path = store.with_file_name(NAME);
    let key = Vault::random_key();
    match private_file::create(&path, &format!("{}\n", key.expose_secret())) {
        Ok(()) => Ok(key),
        // Another process was faster: its key counts.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read_or_make(store),
        Err(source) => Err(KeyFileError::Unusable { path, source }),
    }
}

/// The key beside the store; none where there is no store yet either.
pub fn read(store: &Path) -> Result<Option<SecretString>, KeyFileError> {
    let path = store.with_file_name(NAME);
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
