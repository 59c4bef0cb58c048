//! What outlives the process: where sessions and limits are kept, and the keys.

use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;

use super::{ConfigError, public_url, values::Reader, variables};
use crate::store::{Vault, redis::Address};

/// The longest that a proof holds (NIST SP 800-63B and OWASP ASVS 6.5.5 give a
/// code no more).
pub const LONGEST_PROOF: Duration = Duration::from_mins(10);

/// Where sessions and limits are kept, and the key of the names in there.
#[derive(Clone, Debug)]
pub enum StoreHome {
    /// A file, for one instance.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The key; kept beside the file when absent.
        secret_key: Option<SecretString>,
    },
    /// Redis, for several instances.
    Redis {
        /// Where it is.
        address: Address,
        /// The key, the same for all of them.
        secret_key: SecretString,
    },
}

/// How numbers are proven to applications.
#[derive(Clone, Debug)]
pub struct ProofSettings {
    /// The file with the signing keys.
    pub keys_file: PathBuf,
    /// True when the file was asked for, so that its absence is an error.
    pub is_given: bool,
    /// Who says so; the address we listen on when absent.
    pub issuer: Option<String>,
    /// For whom.
    pub audience: String,
    /// How long a proof holds.
    pub lifetime: Duration,
}

pub(super) fn store(reader: &Reader<'_>) -> Result<StoreHome, ConfigError> {
    let variable = &variables::STORE_URL;
    let url = reader.required(variable)?;
    let secret_key = secret_key(reader)?;
    if let Some(address) = Address::parse(&url) {
        return Ok(StoreHome::Redis {
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
        Some(path) if !path.is_empty() => Ok(StoreHome::Sqlite {
            path: path.into(),
            secret_key,
        }),
        _ => Err(variable.error(
            "must be sqlite: and a file, such as sqlite:data/countersign.db, \
             or a redis://, rediss:// or redis+cluster:// address",
        )),
    }
}

fn secret_key(reader: &Reader<'_>) -> Result<Option<SecretString>, ConfigError> {
    let variable = &variables::SECRET_KEY;
    let key = reader.text(variable)?.map(SecretString::from);
    if key.as_ref().is_some_and(|key| Vault::new(key).is_err()) {
        return Err(
            variable.error("must be 32 bytes in base64, such as openssl rand -base64 32 prints")
        );
    }
    Ok(key)
}

pub(super) fn proofs(reader: &Reader<'_>, store: &StoreHome) -> Result<ProofSettings, ConfigError> {
    let given = reader.text(&variables::PROOF_SIGNING_KEYS_FILE)?;
    let lifetime = reader.duration(&variables::PROOF_LIFETIME)?;
    if !(Duration::from_secs(30)..=LONGEST_PROOF).contains(&lifetime) {
        return Err(variables::PROOF_LIFETIME.error("must be 30s to 10m"));
    }
    Ok(ProofSettings {
        is_given: given.is_some(),
        keys_file: match (given, store) {
            (Some(path), _) => path.into(),
            (None, StoreHome::Sqlite { path, .. }) => path.with_file_name("proof-keys.json"),
            (None, StoreHome::Redis { .. }) => {
                return Err(variables::PROOF_SIGNING_KEYS_FILE.error(
                    "is not set, and with Redis all instances sign with the same keys; \
                     name a file, and countersign --rotate-proof-key makes it",
                ));
            }
        },
        issuer: issuer(reader, store)?,
        audience: reader.required(&variables::PROOF_AUDIENCE)?,
        lifetime,
    })
}

/// The address listened on is another for each instance: none would take the
/// proofs of the others for its own.
fn issuer(reader: &Reader<'_>, store: &StoreHome) -> Result<Option<String>, ConfigError> {
    let issuer = match reader.text(&variables::PROOF_ISSUER)? {
        Some(issuer) => Some(issuer),
        None => public_url(reader)?,
    };
    match (issuer, store) {
        (None, StoreHome::Redis { .. }) => Err(variables::PUBLIC_URL.error(
            "is not set, nor is PROOF_ISSUER, and with Redis all instances must name one \
             issuer in their proofs; set one of the two, the same for all of them",
        )),
        (issuer, _) => Ok(issuer),
    }
}
