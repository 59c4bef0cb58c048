//! Whom a session is about.

use countersign_shared::{Locale, PhoneNumber, Purpose};
use serde::{Deserialize, Serialize};

/// Whom a session is about: sealed in the store with the session's id, which the store
/// does not have.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Whose number is verified.
    pub recipient: PhoneNumber,
    /// The language of the messages.
    pub locale: Locale,
    /// What the proof repeats.
    pub nonce: Option<String>,
    /// What it is for.
    pub purpose: Option<Purpose>,
}

/// The text that is sealed.
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
    /// As it is sealed.
    pub(super) fn to_text(&self) -> String {
        let sealed = Sealed {
            recipient: self.recipient.as_str(),
            locale: self.locale.as_str(),
            nonce: self.nonce.clone(),
            purpose: self.purpose,
        };
        serde_json::to_string(&sealed).expect("plain values are JSON")
    }

    /// What was sealed; nothing where it makes no sense.
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
