//! Keyed hashes for values that are only compared, encryption for values that are read
//! back: a copy of the store reveals nothing (ADR 8).

use base64::{Engine, prelude::BASE64_STANDARD};
use countersign_core::Key;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use secrecy::{ExposeSecret, SecretString};

/// 128 bits of a keyed hash: enough to rule out collisions.
pub type Hash = [u8; 16];

/// The key is not 32 bytes in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSecretKey;

/// Keys derived from the operator's `SECRET_KEY`.
#[derive(Clone)]
pub struct StoreKeys(hmac::Key);

impl StoreKeys {
    /// Bytes of a key.
    pub const KEY_LENGTH: usize = 32;

    /// From a key in base64.
    pub fn new(key: &SecretString) -> Result<Self, InvalidSecretKey> {
        let bytes = BASE64_STANDARD
            .decode(key.expose_secret().trim())
            .map_err(|_| InvalidSecretKey)?;
        if bytes.len() == Self::KEY_LENGTH {
            Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
        } else {
            Err(InvalidSecretKey)
        }
    }

    /// A new key in base64.
    pub fn random_key() -> SecretString {
        let mut bytes = [0; Self::KEY_LENGTH];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        BASE64_STANDARD.encode(bytes).into()
    }

    fn mac(&self, purpose: &str, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        for part in parts {
            // The length distinguishes "ab" + "c" from "a" + "bc".
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        context.sign()
    }

    /// The keyed hash (HMAC-SHA-256) of a value, for one purpose.
    pub fn hash(&self, purpose: &str, parts: &[&[u8]]) -> Hash {
        let mut hash = Hash::default();
        hash.copy_from_slice(&self.mac(purpose, parts).as_ref()[..16]);
        hash
    }

    /// The name of a row: its kind and a keyed hash of its subject.
    pub fn row_key(&self, kind: &str, parts: &[&[u8]]) -> Key {
        Key::new(&format!("{kind}/{}", hex(&self.hash(kind, parts))))
    }

    /// A hash that reveals whether a store was made with another key.
    pub fn key_check(&self) -> Hash {
        self.hash("key check", &[])
    }

    /// The secret in the path of Plivo's callbacks, the same for all instances.
    pub fn callback_secret(&self) -> SecretString {
        hex(&self.hash("callback", &[])).into()
    }

    fn seal_key(&self, purpose: &str, opener: &[u8]) -> LessSafeKey {
        let key = self.mac(purpose, &[opener, b"seal"]);
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("a hash of 32 bytes is a key");
        LessSafeKey::new(key)
    }

    /// Encrypts a text (AES-256-GCM) so that only `opener` opens it, which the store does
    /// not contain: the session's id, the number, or the request.
    pub fn seal(&self, purpose: &str, opener: &[u8], text: &str) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).expect("the operating system gives random bytes");
        let mut sealed = text.as_bytes().to_vec();
        self.seal_key(purpose, opener)
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut sealed,
            )
            .expect("a text of ours is short enough");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Decrypts; `None` if it was changed or `opener` is another.
    pub fn open(&self, purpose: &str, opener: &[u8], sealed: &[u8]) -> Option<String> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = sealed.to_vec();
        let text = self
            .seal_key(purpose, opener)
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::empty(),
                &mut text,
            )
            .ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

/// A hash in hexadecimal.
pub fn hex(hash: &Hash) -> String {
    format!("{:032x}", u128::from_be_bytes(*hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_opener_only() {
        let keys = StoreKeys::new(&StoreKeys::random_key()).unwrap();
        let sealed = keys.seal("person", b"name", "+14155550123");
        assert!(!sealed.windows(4).any(|bytes| bytes == b"4155"));
        let opened = |keys: &StoreKeys, purpose, opener: &[u8]| keys.open(purpose, opener, &sealed);
        assert_eq!(opened(&keys, "person", b"name").unwrap(), "+14155550123");
        assert_eq!(opened(&keys, "person", b"other"), None);
        assert_eq!(opened(&keys, "answer", b"name"), None);
        let other = StoreKeys::new(&StoreKeys::random_key()).unwrap();
        assert_eq!(opened(&other, "person", b"name"), None);
        assert_eq!(keys.open("person", b"name", b"short"), None);
    }

    #[test]
    fn hashes_differ_by_key_purpose_and_where_parts_end() {
        let keys = StoreKeys::new(&StoreKeys::random_key()).unwrap();
        let hash = keys.hash("a", &[b"ab", b"c"]);
        assert_eq!(hash, keys.hash("a", &[b"ab", b"c"]));
        assert_ne!(hash, keys.hash("a", &[b"a", b"bc"]));
        assert_ne!(hash, keys.hash("b", &[b"ab", b"c"]));
        let other = StoreKeys::new(&StoreKeys::random_key()).unwrap();
        assert_ne!(hash, other.hash("a", &[b"ab", b"c"]));
    }

    #[test]
    fn a_key_is_32_bytes_in_base64() {
        for key in ["", "c2hvcnQ=", "not base64!"] {
            assert!(StoreKeys::new(&key.to_owned().into()).is_err());
        }
    }
}
