//! `--check-config`: says whether a start would come about, and changes nothing.
//!
//! The addresses are not listened on, so that it can be asked beside a running
//! service, and Plivo is not asked: only it knows whether credentials are good.

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

/// What the start would say of the files and of the store's home.
pub async fn check(config: &Config) -> Result<(), StartError> {
    tls::set_up();
    wiring::connections(config)?;
    key_files::check(config)?;
    let keys = |key| StoreKeys::new(key).map_err(|_| KeyFileError::Malformed);
    match &config.store {
        StoreConfig::Sqlite { path, secret_key } => {
            // The place first: it is what a key kept beside it is missing with.
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
