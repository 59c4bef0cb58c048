//! The file with the signing keys, shared by all instances.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use countersign_platform::private_file;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    ANNOUNCED, MAX_LIFETIME,
    signing_key::{self, ProofAlgorithm, SigningKey},
    subject_key::SubjectKey,
};

/// Errors of the keys file.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The configured file does not exist.
    #[error("PROOF_SIGNING_KEYS_FILE: {path} is missing; countersign --rotate-proof-key makes it")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file's content is invalid.
    #[error("PROOF_SIGNING_KEYS_FILE: {path} holds no signing keys that can be read")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("PROOF_SIGNING_KEYS_FILE: {path}: {source}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The first key was just made.
    #[error(
        "PROOF_SIGNING_KEYS_FILE: {path} was made a moment ago and its first key signs already; there is nothing to do, and a new key can be put in front in {seconds} seconds"
    )]
    JustMade {
        /// The file.
        path: PathBuf,
        /// Time until it may be rotated.
        seconds: u64,
    },
    /// The newest key is not used by all instances yet.
    #[error(
        "PROOF_SIGNING_KEYS_FILE: {path} was rotated a moment ago; wait for {seconds} seconds, so that no proof loses its key"
    )]
    TooSoon {
        /// The file.
        path: PathBuf,
        /// Time until it may be rotated again.
        seconds: u64,
    },
}

/// Content of the file.
pub(super) struct KeyFile {
    /// Signing keys, newest first. Never empty.
    pub(super) signing: Vec<SigningKey>,
    /// The key of `sub`, which is never rotated.
    pub(super) subject: SubjectKey,
}

/// The file's format, newest key first.
#[derive(Serialize, Deserialize)]
struct Content {
    /// 32 bytes in base64. Whoever changes it gives every number another `sub`.
    subject_key: String,
    keys: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    /// RFC 3339 in UTC.
    made_at: String,
    /// PKCS #8, in PEM.
    private_key: String,
}

impl Content {
    fn new(algorithm: ProofAlgorithm, now: SystemTime) -> Self {
        Self {
            subject_key: SubjectKey::random_text(),
            keys: vec![Kept::new(algorithm, now)],
        }
    }

    fn read(&self) -> Option<KeyFile> {
        let signing: Option<Vec<SigningKey>> = self.keys.iter().map(Kept::key).collect();
        Some(KeyFile {
            signing: signing.filter(|keys| !keys.is_empty())?,
            subject: SubjectKey::from_text(&self.subject_key)?,
        })
    }
}

impl Kept {
    fn new(algorithm: ProofAlgorithm, now: SystemTime) -> Self {
        Self {
            made_at: humantime::format_rfc3339_seconds(now).to_string(),
            private_key: signing_key::random_pem(algorithm),
        }
    }

    fn key(&self) -> Option<SigningKey> {
        let made_at = humantime::parse_rfc3339(&self.made_at).ok()?;
        SigningKey::from_pem(&self.private_key, made_at)
    }
}

/// Loads the keys, newest first. If no path is configured and there is no file, it is made.
pub(super) fn read_or_make(
    path: &Path,
    is_given: bool,
    algorithm: ProofAlgorithm,
    now: SystemTime,
) -> Result<KeyFile, KeysError> {
    match read(path) {
        Err(KeysError::Missing { path }) if !is_given => {
            let made = write(&Content::new(algorithm, now));
            match private_file::create(&path, made.expose_secret()) {
                // Another process made the file first: its key is used.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => read(&path),
                Err(source) => Err(KeysError::Unusable { path, source }),
                Ok(()) => read(&path),
            }
        }
        outcome => outcome,
    }
}

/// The result of `read_or_make`, without making anything.
pub fn check(path: &Path, is_given: bool) -> Result<(), KeysError> {
    match read(path) {
        Err(KeysError::Missing { .. }) if !is_given => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Content of the file.
pub(super) fn read(path: &Path) -> Result<KeyFile, KeysError> {
    let malformed = || KeysError::Malformed {
        path: path.to_owned(),
    };
    content(path)?.read().ok_or_else(malformed)
}

fn content(path: &Path) -> Result<Content, KeysError> {
    let path = path.to_owned();
    let text = match fs::read_to_string(&path) {
        Ok(text) => SecretString::from(text),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(KeysError::Missing { path });
        }
        Err(source) => return Err(KeysError::Unusable { path, source }),
    };
    serde_json::from_str(text.expose_secret()).map_err(|_| KeysError::Malformed { path })
}

fn write(content: &Content) -> SecretString {
    let text = serde_json::to_string_pretty(content);
    format!("{}\n", text.expect("texts can be written")).into()
}

/// A new key.
#[derive(Debug)]
pub struct Rotated {
    /// Its name.
    pub id: String,
    /// Time until it signs; the one before does meanwhile. Zero without one before.
    pub signs_in: Duration,
}

/// Adds a new key in front of the newest one and removes the others; makes the file if
/// there is none. The new key may have another algorithm.
pub fn rotate(
    path: &Path,
    algorithm: ProofAlgorithm,
    now: SystemTime,
) -> Result<Rotated, KeysError> {
    let known = match content(path) {
        Ok(content) => Some(content),
        Err(KeysError::Missing { .. }) => None,
        Err(error) => return Err(error),
    };
    let mut content = known.unwrap_or_else(|| Content {
        keys: Vec::new(),
        ..Content::new(algorithm, now)
    });
    let keys = &mut content.keys;
    // The one before signs until every instance knows the newest, and its proofs must stay
    // valid to their end.
    let settled = ANNOUNCED + MAX_LIFETIME;
    let newest = keys.first().and_then(Kept::key);
    let age = newest.map(|key| now.duration_since(key.made_at).unwrap_or_default());
    if let Some(left) = age.and_then(|age| settled.checked_sub(age))
        && left > Duration::ZERO
    {
        let path = path.to_owned();
        let seconds = countersign_platform::clock::whole_seconds_up(left);
        return Err(match keys.len() {
            1 => KeysError::JustMade { path, seconds },
            _ => KeysError::TooSoon { path, seconds },
        });
    }
    let signs_in = if keys.is_empty() {
        Duration::ZERO
    } else {
        ANNOUNCED
    };
    keys.insert(0, Kept::new(algorithm, now));
    keys.truncate(2);
    private_file::replace(path, write(&content).expose_secret()).map_err(|source| {
        KeysError::Unusable {
            path: path.to_owned(),
            source,
        }
    })?;
    let id = read(path)?.signing[0].id.clone();
    Ok(Rotated { id, signs_in })
}
