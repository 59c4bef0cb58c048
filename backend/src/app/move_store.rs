//! `--move-store FROM TO`: carries sessions and counts from one store to another, with
//! the service stopped.

use std::sync::Arc;

use countersign_platform::{clock::SystemClock, tls};
use countersign_store::{
    MoveError, Portable, RedisStore, SqliteStore, StoreKeys,
    key_file::{self, KeyFileError},
    move_store,
};
use secrecy::SecretString;

use super::StartError;
use crate::config::{ConfigError, StoreConfig};

/// Why nothing, or not all, was moved.
#[derive(Debug, thiserror::Error)]
pub(super) enum MoveStoreError {
    /// One of the addresses, or the key, cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// One of the stores does not open.
    #[error(transparent)]
    Open(#[from] StartError),
    /// The rows were not taken.
    #[error("--move-store: {0}")]
    Move(#[from] MoveError),
}

/// Copies all that is live at `from` to `to`, both written as in `STORE_URL`, and answers
/// how many rows there were. The names in both are made with one key: `SECRET_KEY`, or the
/// one that is kept beside the file at `from`.
pub(super) async fn run(from: &str, to: &str) -> Result<usize, MoveStoreError> {
    tls::set_up();
    let from = StoreConfig::from_environment(from, None)?;
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
