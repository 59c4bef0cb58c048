//! Proofs: what a verified number is worth to an application's server.
//!
//! A proof is a JWT under the rules of RFC 8725: each key has one algorithm, Ed25519
//! (RFC 8037) or ES256, a type of its own, and keys are taken by their thumbprints from
//! our own file and from nowhere else.

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

/// How long whoever fetches the public keys may keep them.
pub const KEYS_KEPT: Duration = Duration::from_mins(5);
/// How old a key is before it signs: by then every instance has read it, and
/// whoever kept the keys has fetched it.
const ANNOUNCED: Duration = Duration::from_mins(6);
/// How far the clocks of two instances may be apart.
pub(crate) const SKEW: Duration = Duration::from_secs(5);

/// What the audience of a test number's proof ends with.
pub(crate) const TEST_AUDIENCE: &str = ":test";

/// The longest that a proof holds (NIST SP 800-63B and OWASP ASVS 6.5.5 give a code no
/// more).
pub const MAX_LIFETIME: Duration = Duration::from_mins(10);

/// How numbers are proven to applications.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file with the signing keys.
    pub keys_file: PathBuf,
    /// True when the file was asked for, so that its absence is an error.
    pub is_given: bool,
    /// Who says so; the address we listen on when absent.
    pub issuer: Option<String>,
    /// What a key is made for, where one is made.
    pub algorithm: ProofAlgorithm,
    /// How long a proof holds.
    pub lifetime: Duration,
}

/// A proof, and its end.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The token.
    pub token: String,
    /// Until when it holds.
    pub expires_at: SystemTime,
}

/// What one proof is about.
pub struct Subject<'a> {
    /// Whose number is verified.
    pub recipient: &'a PhoneNumber,
    /// How its last code travelled.
    pub channel: Channel,
    /// The application that it is for.
    pub application: &'a str,
    /// `aud` of its proofs.
    pub audience: &'a str,
    /// What the application gave to be repeated.
    pub nonce: Option<&'a str>,
    /// What the verification was for.
    pub purpose: Option<Purpose>,
}

/// What all proofs of this service have in common.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who says so.
    pub issuer: String,
    /// How long a proof holds.
    pub lifetime: Duration,
    /// Whether nothing is really sent.
    pub sandbox: bool,
}

/// Signs proofs, and knows its own.
pub struct Proofs {
    terms: Terms,
    path: PathBuf,
    keys: RwLock<Arc<KeyFile>>,
}

impl Proofs {
    /// Reads the keys. Where the file is not one that was asked for and is not
    /// there, it is made.
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

    /// Who says so, as every proof names it.
    pub fn issuer(&self) -> &str {
        &self.terms.issuer
    }

    /// Reads the keys again, which may have been rotated. Where that fails the
    /// known ones stay.
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

    /// How long a proof holds.
    pub fn lifetime(&self) -> Duration {
        self.terms.lifetime
    }

    /// The public keys, the newest first.
    pub fn public_keys(&self) -> JwkSet {
        JwkSet {
            keys: (self.keys().signing.iter())
                .map(|key| key.public.clone())
                .collect(),
        }
    }

    /// A proof that a number is verified.
    pub fn sign(&self, subject: &Subject<'_>, now: SystemTime) -> Proof {
        self.sign_for(subject.audience.to_owned(), subject, now)
    }

    /// The same of a test number: for an audience of its own, so that whoever checks
    /// nothing else refuses it.
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

    /// What a token says, if it is a proof of ours that holds, for whichever application.
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
        // Whose it is the application that asks tells.
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        // By our clock, below.
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

/// How the code travelled, in the words of RFC 8176.
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
