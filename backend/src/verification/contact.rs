//! A session's contact.

use countersign_shared::{Locale, PhoneNumber, Purpose};
use serde::{Deserialize, Serialize};

/// A session's contact: sealed in the store with the session id, which the store does not
/// contain.
#[derive(Clone, Debug)]
pub struct Contact {
    /// The number.
    pub recipient: PhoneNumber,
    /// The language of the messages.
    pub locale: Locale,
    /// Nonce of the proof.
    pub nonce: Option<String>,
    /// Purpose.
    pub purpose: Option<Purpose>,
}

/// The sealed plaintext.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    recipient: &'a str,
    locale: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purpose: Option<Purpose>,
}

impl Contact {
    /// Serializes it for sealing.
    pub(super) fn to_text(&self) -> String {
        let sealed = Sealed {
            recipient: self.recipient.as_str(),
            locale: self.locale.as_str(),
            nonce: self.nonce.clone(),
            purpose: self.purpose,
        };
        serde_json::to_string(&sealed).expect("plain values are JSON")
    }

    /// Deserializes it; none if it is malformed.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let sealed: Sealed<'_> = serde_json::from_str(text).ok()?;
        Some(Self {
            recipient: PhoneNumber::parse(sealed.recipient).ok()?,
            locale: Locale::parse(sealed.locale).ok()?,
            nonce: sealed.nonce,
            purpose: sealed.purpose,
        })
    }
}
