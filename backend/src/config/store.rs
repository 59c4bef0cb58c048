//! The store and its keys.

use std::{path::PathBuf, time::Duration};

use countersign_store::{StoreKeys, redis::Address};
use secrecy::{ExposeSecret, SecretString};

use super::{ConfigError, environment, read_public_url, values::Reader, variables};
use crate::proof::{self, ProofAlgorithm};

/// The store and the key that its row names are hashed with.
#[derive(Clone, Debug)]
pub enum StoreConfig {
    /// A SQLite file, for one instance.
    Sqlite {
        /// Path of the file.
        path: PathBuf,
        /// The key; stored beside the file if absent.
        secret_key: Option<SecretString>,
    },
    /// Redis, for several instances.
    Redis {
        /// Its URL.
        address: Address,
        /// The key, shared by all instances.
        secret_key: SecretString,
    },
}

impl StoreConfig {
    /// Parses a store URL in the form of `STORE_URL`; the key is `secret_key` if given,
    /// otherwise the environment's.
    pub fn from_environment(
        url: &str,
        secret_key: Option<&SecretString>,
    ) -> Result<Self, ConfigError> {
        let environment = environment()?;
        let lookup = |name: &str| match (name, secret_key) {
            ("STORE_URL", _) => Some(url.to_owned()),
            ("SECRET_KEY", Some(key)) => Some(key.expose_secret().to_owned()),
            ("STORE_URL_FILE", _) | ("SECRET_KEY_FILE", Some(_)) => None,
            _ => environment(name),
        };
        read_store(&Reader::new(&lookup))
    }
}

pub(super) fn read_store(reader: &Reader<'_>) -> Result<StoreConfig, ConfigError> {
    let variable = &variables::STORE_URL;
    let url = reader.required(variable)?;
    let secret_key = read_secret_key(reader)?;
    if let Some(address) = Address::parse(&url) {
        return Ok(StoreConfig::Redis {
            address: address.map_err(|problem| variable.error(problem))?,
            secret_key: secret_key.ok_or_else(|| {
                variables::SECRET_KEY.error(
                    "is not set, and with Redis all instances need the same; \
                     openssl rand -base64 32 makes one",
                )
            })?,
        });
    }
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Ok(StoreConfig::Sqlite {
            path: path.into(),
            secret_key,
        }),
        _ => Err(variable.error(
            "must be sqlite: and a file, such as sqlite:data/countersign.db, \
             or a redis://, rediss:// or redis+cluster:// address",
        )),
    }
}

fn read_secret_key(reader: &Reader<'_>) -> Result<Option<SecretString>, ConfigError> {
    let variable = &variables::SECRET_KEY;
    let key = reader.text(variable)?.map(SecretString::from);
    if key.as_ref().is_some_and(|key| StoreKeys::new(key).is_err()) {
        return Err(
            variable.error("must be 32 bytes in base64, such as openssl rand -base64 32 prints")
        );
    }
    Ok(key)
}

pub(super) fn read_proofs(
    reader: &Reader<'_>,
    store: &StoreConfig,
) -> Result<proof::Settings, ConfigError> {
    let given = reader.text(&variables::PROOF_SIGNING_KEYS_FILE)?;
    let lifetime = reader.duration(&variables::PROOF_LIFETIME)?;
    if !(Duration::from_secs(30)..=proof::MAX_LIFETIME).contains(&lifetime) {
        return Err(variables::PROOF_LIFETIME.error("must be 30s to 10m"));
    }
    Ok(proof::Settings {
        is_given: given.is_some(),
        keys_file: match (given, store) {
            (Some(path), _) => path.into(),
            (None, StoreConfig::Sqlite { path, .. }) => path.with_file_name("proof-keys.json"),
            (None, StoreConfig::Redis { .. }) => {
                return Err(variables::PROOF_SIGNING_KEYS_FILE.error(
                    "is not set, and with Redis all instances sign with the same keys; \
                     name a file, and countersign --rotate-proof-key makes it",
                ));
            }
        },
        issuer: read_issuer(reader, store)?,
        algorithm: ProofAlgorithm::parse(&reader.required(&variables::PROOF_ALGORITHM)?)
            .ok_or_else(|| variables::PROOF_ALGORITHM.error("must be EdDSA or ES256"))?,
        lifetime,
    })
}

/// With Redis an issuer is required: the listen address differs by instance, and none would
/// accept the proofs of another.
fn read_issuer(reader: &Reader<'_>, store: &StoreConfig) -> Result<Option<String>, ConfigError> {
    let issuer = match reader.text(&variables::PROOF_ISSUER)? {
        // Applications compare the issuer byte by byte.
        Some(issuer) => Some(issuer.trim_end_matches('/').to_owned()),
        None => read_public_url(reader)?,
    };
    match (issuer, store) {
        (None, StoreConfig::Redis { .. }) => Err(variables::PUBLIC_URL.error(
            "is not set, nor is PROOF_ISSUER, and with Redis all instances must name one \
             issuer in their proofs; set one of the two, the same for all of them",
        )),
        (issuer, _) => Ok(issuer),
    }
}
