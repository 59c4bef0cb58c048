//! API keys of applications: `csk_`, the application's id, 160 random bits, a checksum.
//!
//! The prefix and the checksum let secret scanners find a leaked key. A key is as random
//! as its hash, so plain SHA-256 suffices for storage, and no slow hash is needed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::ApplicationId;

/// The prefix of every key.
pub const PREFIX: &str = "csk_";
/// The prefix of every hash.
const HASH_PREFIX: &str = "sha256:";
/// Length of the checksum in bytes.
const CHECKSUM: usize = 4;

/// An application's key. It is shown once, and never stored.
#[derive(Clone, Debug)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Number of random bytes in a key.
    pub const RANDOM_BYTES: usize = 20;

    /// Builds the application's key from these random bytes.
    pub fn from_random_bytes(id: &ApplicationId, random: [u8; Self::RANDOM_BYTES]) -> Self {
        let body = format!("{PREFIX}{id}_{}", hex(&random));
        let checksum = checksum(&body);
        Self(format!("{body}{checksum}").into())
    }

    /// Parses a key; `None` if the format or the checksum is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, digits) = text.strip_prefix(PREFIX)?.split_once('_')?;
        ApplicationId::parse(id)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_whole = digits.len() == 2 * (Self::RANDOM_BYTES + CHECKSUM);
        if !is_whole || !digits.bytes().all(is_digit) {
            return None;
        }
        let (body, given) = text.split_at(text.len() - 2 * CHECKSUM);
        (checksum(body) == given).then(|| Self(text.into()))
    }

    /// The hash to store.
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.0.expose_secret()).into())
    }

    /// The key itself, to be shown once.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

/// The stored hash of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Parses the text form: `sha256:` and 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(HASH_PREFIX)?;
        if digits.len() != 64 || !digits.is_ascii() {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, index) in hash.iter_mut().zip((0..64).step_by(2)) {
            let pair = &digits[index..index + 2];
            // `from_str_radix` would accept a sign.
            if pair.starts_with('+') {
                return None;
            }
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(hash))
    }

    /// Whether the two are equal, compared in constant time.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{HASH_PREFIX}{}", hex(&self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyHash")
    }
}

fn checksum(body: &str) -> String {
    hex(&Sha256::digest(body)[..CHECKSUM])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ApiKey {
        let id = ApplicationId::parse("shop").unwrap();
        ApiKey::from_random_bytes(&id, [7; ApiKey::RANDOM_BYTES])
    }

    #[test]
    fn a_key_is_recognised_and_one_wrong_digit_is_not_a_key() {
        let text = key().secret().expose_secret().to_owned();
        assert!(text.starts_with("csk_shop_0707"), "{text}");
        assert_eq!(text.len(), "csk_shop_".len() + 48);
        assert!(ApiKey::parse(&text).is_some());
        for place in "csk_".len()..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(ApiKey::parse(&changed).is_none(), "{changed}");
        }
        for other in [
            "",
            "csk_",
            "csk_shop",
            &text[..text.len() - 1],
            &text.to_uppercase(),
        ] {
            assert!(ApiKey::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_hash_is_read_back_and_shows_nothing_of_the_key() {
        let hash = key().hash();
        let text = hash.to_string();
        assert!(KeyHash::parse(&text).unwrap().is(&hash));
        let id = ApplicationId::parse("shop").unwrap();
        let other = ApiKey::from_random_bytes(&id, [8; ApiKey::RANDOM_BYTES]);
        assert!(!other.hash().is(&hash));
        for wrong in [
            "",
            "sha256:",
            &text[7..],
            &text[..70],
            &text.replace('a', "g"),
        ] {
            let is_same = *wrong == *text;
            assert!(is_same || KeyHash::parse(wrong).is_none(), "{wrong}");
        }
        assert!(KeyHash::parse(&format!("sha256:{}", "+1".repeat(32))).is_none());
        assert_eq!(format!("{:?} {hash:?}", key()).matches("0707").count(), 0);
    }
}
