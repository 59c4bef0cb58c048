//! Permissions of files that contain keys.

use std::path::{Path, PathBuf};

use countersign_platform::private_file::{Exposure, exposure};
use countersign_store::key_file;

use super::StartError;
use crate::config::{Config, StoreConfig};

/// Refuses files that others can write, because they could choose the key. Warns of files
/// that everybody can read.
pub(super) fn check(config: &Config) -> Result<(), StartError> {
    for (variable, path) in files(config) {
        let is_secret = variable != APPLICATIONS;
        match exposure(&path) {
            Exposure::Private => {}
            // It contains only hashes.
            Exposure::Readable if !is_secret => {}
            Exposure::Readable => log::warn!(
                event = "key_file.readable", variable = variable.as_str();
                "{variable}: everybody on this machine can read {}; chmod 600 it", path.display()
            ),
            Exposure::Writable => return Err(StartError::WritableKeyFile { variable, path }),
        }
    }
    Ok(())
}

/// The file with the hashes of keys.
const APPLICATIONS: &str = "APPLICATIONS_FILE";

fn files(config: &Config) -> impl Iterator<Item = (String, PathBuf)> {
    let named = config.secret_files.iter();
    let named = named.map(|file| (file.variable.clone(), file.path.clone()));
    let of = |variable: &str, path: &Path| (variable.to_owned(), path.to_owned());
    let proofs = of("PROOF_SIGNING_KEYS_FILE", &config.proofs.keys_file);
    let store = match &config.store {
        StoreConfig::Sqlite {
            path,
            secret_key: None,
        } => Some(of("SECRET_KEY", &key_file::path(path))),
        _ => None,
    };
    let test_numbers = config.test_numbers_file.as_deref();
    let test_numbers = test_numbers.map(|path| of("TEST_NUMBERS_FILE", path));
    let applications = config.applications_file.as_ref();
    let applications = applications.map(|file| of(APPLICATIONS, &file.path));
    let named = named.chain([proofs]).chain(store);
    named.chain(applications).chain(test_numbers)
}
