//! `--check-config`: says whether a start would come about, and changes nothing.
//!
//! The addresses are not listened on, so that it can be asked beside a running
//! service, and Plivo is not asked: only it knows whether credentials are good.

use crate::{
    app::{self, StartError},
    config::{Config, StoreHome, Upstream},
    connections,
    plivo::PlivoClient,
    proof,
    store::{
        Vault,
        key_file::{self, KeyFileError},
        redis::RedisStore,
        sqlite,
    },
    tls,
};

/// What the start would say of the files and of the store's home.
pub async fn check(config: &Config) -> Result<(), StartError> {
    tls::set_up();
    let vault = |key| Vault::new(key).map_err(|_| KeyFileError::Malformed);
    match &config.store {
        StoreHome::Sqlite { path, secret_key } => {
            // The place first: it is what a key kept beside it is missing with.
            sqlite::check(path, None)?;
            let key = match secret_key {
                Some(key) => Some(key.clone()),
                None => key_file::read(path)?,
            };
            let vault = key.as_ref().map(vault).transpose()?;
            sqlite::check(path, vault.as_ref())?;
        }
        StoreHome::Redis {
            address,
            secret_key,
        } => {
            RedisStore::open(address, vault(secret_key)?, config.rules.clone(), None).await?;
        }
    }
    proof::check(&config.proofs.keys_file, config.proofs.is_given)?;
    app::page(config)?;
    let sandbox = matches!(config.upstream, Upstream::Sandbox);
    connections::budget(config.calls_at_once, sandbox)?;
    if let Upstream::Live(account) = &config.upstream {
        PlivoClient::new(account.clone())?;
    }
    Ok(())
}
