//! `--check-config`: validates the configuration as a start would, and changes nothing.
//!
//! It does not listen, so that it can run beside a running service, and does not call
//! Plivo, so credentials are not checked.

use std::sync::Arc;

use countersign_platform::{clock::SystemClock, tls};
use countersign_plivo::PlivoClient;
use countersign_store::{
    RedisStore, StoreKeys,
    key_file::{self, KeyFileError},
    sqlite,
};

use super::{StartError, key_files, wiring};
use crate::{
    config::{Config, StoreConfig, Upstream},
    proof,
    verification::ApplicationRegistry,
};

/// The errors that a start would report about files and the store.
pub async fn check(config: &Config) -> Result<(), StartError> {
    tls::set_up();
    wiring::connections(config)?;
    key_files::check(config)?;
    let keys = |key| StoreKeys::new(key).map_err(|_| KeyFileError::Malformed);
    match &config.store {
        StoreConfig::Sqlite { path, secret_key } => {
            // The store's path first: a key kept beside it depends on it.
            sqlite::check(path, None)?;
            let key = match secret_key {
                Some(key) => Some(key.clone()),
                None => key_file::read(path)?,
            };
            let keys = key.as_ref().map(keys).transpose()?;
            sqlite::check(path, keys.as_ref())?;
        }
        StoreConfig::Redis {
            address,
            secret_key,
        } => {
            RedisStore::open(address, &keys(secret_key)?).await?;
        }
    }
    proof::check(&config.proofs.keys_file, config.proofs.is_given)?;
    wiring::access_list(config)?;
    let applications = ApplicationRegistry::new(config.applications.clone());
    let clock = Arc::new(SystemClock::default());
    wiring::test_numbers(config, applications.clone(), clock)?;
    wiring::page(config, &applications)?;
    if let Upstream::Live(account) = &config.upstream {
        PlivoClient::new(account.clone())?;
    }
    Ok(())
}
