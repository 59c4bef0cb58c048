//! `--move-store FROM TO`: copies sessions and counts from one store to another while the
//! service is stopped.

use std::{path::PathBuf, sync::Arc};

use countersign_platform::{clock::SystemClock, tls};
use countersign_store::{
    MoveError, Portable, RedisStore, SqliteStore, StoreKeys,
    key_file::{self, KeyFileError},
    move_store,
};
use secrecy::SecretString;

use super::StartError;
use crate::config::{ConfigError, StoreConfig};

/// Why the move failed, before or after some rows were copied.
#[derive(Debug, thiserror::Error)]
pub(super) enum MoveStoreError {
    /// A store URL or the key is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Opening the source would create an empty one.
    #[error("--move-store: there is no file {path}")]
    NoSource {
        /// The SQLite file to copy from.
        path: PathBuf,
    },
    /// A store cannot be opened.
    #[error(transparent)]
    Open(#[from] StartError),
    /// Copying failed.
    #[error("--move-store: {0}")]
    Move(#[from] MoveError),
}

/// Copies all live rows from `from` to `to`, both in the form of `STORE_URL`, and returns
/// their number. Row names in both are hashed with one key: `SECRET_KEY`, or the key file
/// beside the SQLite file at `from`.
pub(super) async fn run(from: &str, to: &str) -> Result<usize, MoveStoreError> {
    tls::set_up();
    let from = StoreConfig::from_environment(from, None)?;
    if let StoreConfig::Sqlite { path, .. } = &from
        && matches!(path.try_exists(), Ok(false))
    {
        return Err(MoveStoreError::NoSource { path: path.clone() });
    }
    let key = key_of(&from)?;
    let to = StoreConfig::from_environment(to, Some(&key))?;
    let keys = StoreKeys::new(&key).map_err(|_| StartError::from(KeyFileError::Malformed))?;
    let (from, to) = (open(&from, &keys).await?, open(&to, &keys).await?);
    Ok(move_store(&*from, &*to).await?)
}

fn key_of(from: &StoreConfig) -> Result<SecretString, StartError> {
    match from {
        StoreConfig::Sqlite {
            secret_key: Some(key),
            ..
        }
        | StoreConfig::Redis {
            secret_key: key, ..
        } => Ok(key.clone()),
        StoreConfig::Sqlite {
            path,
            secret_key: None,
        } => {
            let missing = || KeyFileError::Missing { path: path.clone() };
            Ok(key_file::read(path)?.ok_or_else(missing)?)
        }
    }
}

async fn open(config: &StoreConfig, keys: &StoreKeys) -> Result<Arc<dyn Portable>, StartError> {
    Ok(match config {
        StoreConfig::Sqlite { path, .. } => {
            let clock = Arc::new(SystemClock::default());
            Arc::new(SqliteStore::open(path, keys, clock)?)
        }
        StoreConfig::Redis { address, .. } => Arc::new(RedisStore::open(address, keys).await?),
    })
}
