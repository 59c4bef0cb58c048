//! `sub` of a proof: a pseudonym of a number at an application.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use countersign_shared::PhoneNumber;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;

/// The key of all pseudonyms. Never rotated, because applications identify users by them.
pub(super) struct SubjectKey(SecretBox<[u8; 32]>);

impl SubjectKey {
    /// A new key, as stored.
    pub(super) fn random_text() -> String {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        STANDARD.encode(bytes)
    }

    /// Parses a key.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        Some(Self(SecretBox::new(Box::new(bytes.try_into().ok()?))))
    }

    /// The pseudonym of a number at an application, which differs at every other one.
    pub(super) fn name(&self, application: &str, number: &PhoneNumber) -> String {
        let key = Hmac::<Sha256>::new_from_slice(self.0.expose_secret());
        let mut hash = key.expect("a key of any length will do");
        // No application id contains a zero byte.
        hash.update(application.as_bytes());
        hash.update(&[0]);
        hash.update(number.as_str().as_bytes());
        URL_SAFE_NO_PAD.encode(hash.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_name_at_each_application() {
        let key = SubjectKey::from_text(&SubjectKey::random_text()).unwrap();
        let number = |text| PhoneNumber::parse(text).unwrap();
        let (one, other) = (number("+14155550123"), number("+14155550124"));
        assert_eq!(key.name("shop", &one), key.name("shop", &one));
        assert_ne!(key.name("shop", &one), key.name("shop", &other));
        assert_ne!(key.name("shop", &one), key.name("bank", &one));
        assert_eq!(key.name("shop", &one).len(), 43);
        let another = SubjectKey::from_text(&SubjectKey::random_text()).unwrap();
        assert_ne!(key.name("shop", &one), another.name("shop", &one));
        assert!(SubjectKey::from_text("c2hvcnQ=").is_none());
    }
}
