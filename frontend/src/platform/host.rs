//! The application that the user came from, and the way back to it.
//!
//! The server validates the parameters and writes the allowed ones to the document's
//! root. The page's own URL is never trusted.

use countersign_shared::Channel;
use web_sys::js_sys::encode_uri_component;

use super::{document, frame};

/// The application around the page, from the document's root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host {
    /// URL to return to.
    return_to: Option<String>,
    /// Origin of the embedding page.
    embedded_in: Option<String>,
    /// Opaque string of the application, returned unchanged.
    state: Option<String>,
    /// Nonce for the proof.
    pub(crate) nonce: Option<String>,
    /// Id of a page that the application's server began.
    pub(crate) page: Option<String>,
    /// That page's recipient, masked.
    pub(crate) recipient: Option<String>,
    /// That page's channel.
    pub(crate) channel: Option<Channel>,
    /// Application id, unless it is the first one.
    pub(crate) application: Option<String>,
}

/// How the verification ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome<'a> {
    /// Verified, with this proof.
    Verified(&'a str),
    /// Cancelled by the user.
    Cancelled,
}

impl Host {
    /// Reads the attributes of the document's root.
    pub(crate) fn read() -> Self {
        Self {
            return_to: document::attribute("data-return-to"),
            embedded_in: document::attribute("data-embedded-in"),
            state: document::attribute("data-state"),
            nonce: document::attribute("data-nonce"),
            page: document::attribute("data-page"),
            recipient: document::attribute("data-recipient"),
            channel: document::attribute("data-channel").and_then(|name| Channel::parse(&name)),
            application: document::attribute("data-application"),
        }
    }

    /// Whether a stored session belongs to this page: same nonce, same begun page.
    pub(crate) fn is_for(&self, nonce: Option<&String>, page: Option<&String>) -> bool {
        (self.nonce.as_ref(), self.page.as_ref()) == (nonce, page)
    }

    /// True if there is an application to return to.
    pub(crate) fn is_there(&self) -> bool {
        self.return_to.is_some() || self.embedded_in.is_some()
    }

    /// True if the page navigates away at the end.
    pub(crate) fn takes_back(&self) -> bool {
        self.return_to.is_some()
    }

    /// Reports the outcome: as a message to the embedding page, or by redirecting.
    pub(crate) fn report(&self, outcome: Outcome<'_>) {
        if let Some(origin) = &self.embedded_in {
            let mut message = match outcome {
                Outcome::Verified(proof) => vec![
                    ("type", "countersign.verified".into()),
                    ("proof", proof.into()),
                ],
                Outcome::Cancelled => vec![("type", "countersign.cancelled".into())],
            };
            if let Some(state) = &self.state {
                message.push(("state", state.as_str().into()));
            }
            frame::post(origin, &message);
        } else if let Some(address) = &self.return_to {
            super::go_to(&format!("{address}#{}", self.fragment(outcome)));
        }
    }

    /// Reports the content's height to the embedding page, which sizes its frame by it.
    pub(crate) fn report_height(&self) {
        if let Some(origin) = self.embedded_in.clone() {
            frame::on_resize(move |height| {
                let message = [
                    ("type", "countersign.resized".into()),
                    ("height", height.into()),
                ];
                frame::post(&origin, &message);
            });
        }
    }

    fn fragment(&self, outcome: Outcome<'_>) -> String {
        let said = match outcome {
            // A proof needs no percent-encoding (RFC 7515, 7.1).
            Outcome::Verified(proof) => format!("proof={proof}"),
            Outcome::Cancelled => "error=cancelled".to_owned(),
        };
        match &self.state {
            Some(state) => format!("{said}&state={}", String::from(encode_uri_component(state))),
            None => said,
        }
    }
}
