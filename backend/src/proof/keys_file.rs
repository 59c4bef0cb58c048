//! The file with the signing keys, shared by all instances.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_shared::proof::TYPE;
use ed25519_dalek::{
    Signer, SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding},
};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{ANNOUNCED, MAX_LIFETIME};
use countersign_platform::private_file;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file that was asked for is not there.
    #[error("PROOF_SIGNING_KEYS_FILE: {path} is missing; countersign --rotate-proof-key makes it")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// What is in the file is no keys.
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
        /// What the system says.
        source: std::io::Error,
    },
    /// The first key was made a moment ago.
    #[error(
        "PROOF_SIGNING_KEYS_FILE: {path} was made a moment ago and its first key signs already; there is nothing to do, and a new key can be put in front in {seconds} seconds"
    )]
    JustMade {
        /// The file.
        path: PathBuf,
        /// How long until it may be rotated.
        seconds: u64,
    },
    /// The newest key is not in use everywhere yet.
    #[error(
        "PROOF_SIGNING_KEYS_FILE: {path} was rotated a moment ago; wait for {seconds} seconds, so that no proof loses its key"
    )]
    TooSoon {
        /// The file.
        path: PathBuf,
        /// How long until it may be rotated again.
        seconds: u64,
    },
}

/// One key.
pub(super) struct Key {
    pub(super) made_at: SystemTime,
    /// Its thumbprint (RFC 7638): nobody can give two keys one name.
    pub(super) id: String,
    pub(super) checks: DecodingKey,
    pub(super) public: Jwk,
    signs: SigningKey,
    /// What every proof that it signs begins with, encoded.
    header: String,
}

impl Key {
    /// A token (RFC 7515, 7.1). Where the key is read once, a signature takes a
    /// third of the time that a library takes that reads it each time.
    pub(super) fn sign<C: Serialize>(&self, claims: &C) -> serde_json::Result<String> {
        let claims = serde_json::to_vec(claims)?;
        let mut token = format!("{}.", self.header);
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.signs.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut token);
        Ok(token)
    }
}

/// As the file has it, the newest first.
#[derive(Serialize, Deserialize)]
struct Content {
    keys: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    /// RFC 3339 in UTC.
    made_at: String,
    /// PKCS #8, in PEM.
    private_key: String,
}

impl Kept {
    fn new(now: SystemTime) -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system gives random bytes");
        // Without the public key, as OpenSSL writes it: it follows.
        let key = KeypairBytes {
            secret_key: seed,
            public_key: None,
        };
        let key = key.to_pkcs8_pem(LineEnding::LF);
        Self {
            made_at: humantime::format_rfc3339_seconds(now).to_string(),
            private_key: key.expect("a key can be written").to_string(),
        }
    }

    fn key(&self) -> Option<Key> {
        let encoding = EncodingKey::from_ed_pem(self.private_key.as_bytes()).ok()?;
        let mut public = Jwk::from_encoding_key(&encoding, Algorithm::EdDSA).ok()?;
        let id = public.thumbprint(ThumbprintHash::SHA256).ok()?;
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Some(Key {
            made_at: humantime::parse_rfc3339(&self.made_at).ok()?,
            checks: DecodingKey::from_jwk(&public).ok()?,
            signs: SigningKey::from_pkcs8_pem(&self.private_key).ok()?,
            header: URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).ok()?),
            id,
            public,
        })
    }
}

/// The keys in the file, the newest first. Where none is given and none is there,
/// one is made.
pub(super) fn read_or_make(
    path: &Path,
    is_given: bool,
    now: SystemTime,
) -> Result<Vec<Key>, KeysError> {
    match read(path) {
        Err(KeysError::Missing { path }) if !is_given => {
            let made = write(&Content {
                keys: vec![Kept::new(now)],
            });
            match private_file::create(&path, made.expose_secret()) {
                // Another process was faster: its key counts.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => read(&path),
                Err(source) => Err(KeysError::Unusable { path, source }),
                Ok(()) => read(&path),
            }
        }
        outcome => outcome,
    }
}

/// What `read_or_make` would say, and nothing is made.
pub fn check(path: &Path, is_given: bool) -> Result<(), KeysError> {
    match read(path) {
        Err(KeysError::Missing { .. }) if !is_given => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// The keys in the file, the newest first. Never empty.
pub(super) fn read(path: &Path) -> Result<Vec<Key>, KeysError> {
    let malformed = || KeysError::Malformed {
        path: path.to_owned(),
    };
    let keys: Option<Vec<Key>> = content(path)?.keys.iter().map(Kept::key).collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(malformed)
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
    /// How long until it signs: the one before does so meanwhile. Zero where there
    /// is none before.
    pub signs_in: Duration,
}

/// Puts a new key in front of the newest one and drops the others; makes the file
/// where there is none.
pub fn rotate(path: &Path, now: SystemTime) -> Result<Rotated, KeysError> {
    let mut keys = match content(path) {
        Ok(content) => content.keys,
        Err(KeysError::Missing { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    // The one before signs until the newest is known everywhere, and what it
    // signed is to hold to its end.
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
    keys.insert(0, Kept::new(now));
    keys.truncate(2);
    private_file::replace(path, write(&Content { keys }).expose_secret()).map_err(|source| {
        KeysError::Unusable {
            path: path.to_owned(),
            source,
        }
    })?;
    let id = read(path)?[0].id.clone();
    Ok(Rotated { id, signs_in })
}
