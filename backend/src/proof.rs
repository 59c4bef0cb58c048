//! Proofs: signed tokens about verified numbers, for applications' servers.
//!
//! A proof is a JWT that follows RFC 8725: each key has one algorithm, Ed25519 (RFC 8037)
//! or ES256; the type is explicit; and keys are found by thumbprint in our own file and
//! nowhere else.

mod keys_file;
mod signing_key;
mod subject_key;

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use countersign_shared::{
    Channel, PhoneNumber, Purpose,
    proof::{Claims, TYPE},
};
use jsonwebtoken::{Validation, jwk::JwkSet};

use self::{keys_file::KeyFile, signing_key::SigningKey};
pub use self::{
    keys_file::{KeysError, Rotated, check, rotate},
    signing_key::ProofAlgorithm,
};

/// Cache lifetime of the public keys.
pub const KEYS_KEPT: Duration = Duration::from_mins(5);
/// Age at which a new key begins to sign: by then every instance has loaded it and cached
/// key sets have expired.
const ANNOUNCED: Duration = Duration::from_mins(6);
/// Maximum clock skew between instances.
pub(crate) const SKEW: Duration = Duration::from_secs(5);

/// Suffix of the audience of a test number's proof.
pub(crate) const TEST_AUDIENCE: &str = ":test";

/// Maximum lifetime of a proof (NIST SP 800-63B and OWASP ASVS 6.5.5 allow a code no more).
pub const MAX_LIFETIME: Duration = Duration::from_mins(10);

/// Settings of proofs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Path of the signing keys.
    pub keys_file: PathBuf,
    /// True if the path was configured, so that its absence is an error.
    pub is_given: bool,
    /// Issuer; the listen address if absent.
    pub issuer: Option<String>,
    /// Algorithm of a new key.
    pub algorithm: ProofAlgorithm,
    /// Lifetime of a proof.
    pub lifetime: Duration,
}

/// A proof and its expiry.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The token.
    pub token: String,
    /// Expiry.
    pub expires_at: SystemTime,
}

/// Content of a proof.
pub struct Subject<'a> {
    /// The verified number.
    pub recipient: &'a PhoneNumber,
    /// Channel of the last code.
    pub channel: Channel,
    /// The application.
    pub application: &'a str,
    /// Its audience.
    pub audience: &'a str,
    /// Nonce.
    pub nonce: Option<&'a str>,
    /// Purpose.
    pub purpose: Option<Purpose>,
}

/// Content that all proofs of this service share.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Issuer.
    pub issuer: String,
    /// Lifetime of a proof.
    pub lifetime: Duration,
    /// True in sandbox.
    pub sandbox: bool,
}

/// Signs and verifies proofs.
pub struct Proofs {
    terms: Terms,
    path: PathBuf,
    keys: RwLock<Arc<KeyFile>>,
}

impl Proofs {
    /// Loads the keys. If the path was not configured and there is no file, it is made.
    pub fn open(
        path: PathBuf,
        is_given: bool,
        algorithm: ProofAlgorithm,
        terms: Terms,
        now: SystemTime,
    ) -> Result<Self, KeysError> {
        let keys = keys_file::read_or_make(&path, is_given, algorithm, now)?;
        Ok(Self {
            terms,
            path,
            keys: RwLock::new(Arc::new(keys)),
        })
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.terms.issuer
    }

    /// Reloads the keys, which may have been rotated. If that fails, the loaded ones stay.
    pub fn reload(&self) {
        match keys_file::read(&self.path) {
            Ok(keys) => {
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
            }
            Err(error) => log::error!(event = "proof.keys_unreadable"; "{error}"),
        }
    }

    fn keys(&self) -> Arc<KeyFile> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.clone()
    }

    /// Lifetime of a proof.
    pub fn lifetime(&self) -> Duration {
        self.terms.lifetime
    }

    /// The public keys, newest first.
    pub fn public_keys(&self) -> JwkSet {
        JwkSet {
            keys: (self.keys().signing.iter())
                .map(|key| key.public.clone())
                .collect(),
        }
    }

    /// Signs a proof.
    pub fn sign(&self, subject: &Subject<'_>, now: SystemTime) -> Proof {
        self.sign_for(subject.audience.to_owned(), subject, now)
    }

    /// Signs a proof of a test number, with an audience of its own, so that an application
    /// that checks nothing else refuses it.
    pub fn sign_test(&self, subject: &Subject<'_>, now: SystemTime) -> Proof {
        let audience = format!("{}{TEST_AUDIENCE}", subject.audience);
        self.sign_for(audience, subject, now)
    }

    fn sign_for(&self, audience: String, subject: &Subject<'_>, now: SystemTime) -> Proof {
        let keys = self.keys();
        let announced = |key: &&SigningKey| key.made_at + ANNOUNCED <= now;
        let key = keys.signing.iter().find(announced).or(keys.signing.last());
        let key = key.expect("there is one key at least");
        let expires_at = now + self.terms.lifetime;
        let claims = Claims {
            iss: self.terms.issuer.clone(),
            aud: audience,
            iat: seconds(now),
            exp: seconds(expires_at),
            jti: random_name(),
            sub: keys.subject.name(subject.application, subject.recipient),
            auth_time: seconds(now),
            phone_number: subject.recipient.as_str().to_owned(),
            phone_number_verified: true,
            amr: amr(subject.channel),
            nonce: subject.nonce.map(str::to_owned),
            purpose: subject.purpose,
            sandbox: self.terms.sandbox,
        };
        Proof {
            token: key.sign(&claims).expect("claims can be written"),
            expires_at,
        }
    }

    /// The claims of a token, if it is a valid proof of ours, for any application.
    pub fn read(&self, token: &str, now: SystemTime) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.typ.as_deref() != Some(TYPE) {
            return None;
        }
        let keys = self.keys();
        let key = keys
            .signing
            .iter()
            .find(|key| Some(&key.id) == header.kid.as_ref())?;
        let mut validation = Validation::new(key.algorithm.into());
        validation.set_issuer(&[&self.terms.issuer]);
        // The audience is checked by the caller.
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        // Expiry is checked by our clock, below.
        validation.validate_exp = false;
        let claims: Claims = jsonwebtoken::decode(token, &key.checks, &validation)
            .ok()?
            .claims;
        let now = seconds(now);
        let holds = claims.iat <= now + SKEW.as_secs()
            && now < claims.exp
            && claims.phone_number_verified
            && claims.sandbox == self.terms.sandbox;
        holds.then_some(claims)
    }
}

/// Authentication methods of a channel (RFC 8176).
fn amr(channel: Channel) -> Vec<String> {
    let way = match channel {
        Channel::Sms => Some("sms"),
        Channel::Voice => Some("tel"),
        Channel::Whatsapp => None,
    };
    ["otp"].into_iter().chain(way).map(str::to_owned).collect()
}

fn random_name() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whole seconds since the Unix epoch.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
