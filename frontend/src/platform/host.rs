//! The application that a person came from, and the way back to it.
//!
//! The server has checked where to: it writes what it allows on the document's
//! root, and nothing else is believed, least of all the page's address.

use countersign_shared::Channel;
use web_sys::js_sys::encode_uri_component;

use super::{document, frame};

/// Where the person came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host {
    /// Where the page goes at the end.
    return_to: Option<String>,
    /// The origin of the page that this one is inside of.
    embedded_in: Option<String>,
    /// The application's own word, handed back as it came.
    state: Option<String>,
    /// What the proof is to repeat.
    pub(crate) nonce: Option<String>,
    /// The page that a server began, by its name.
    pub(crate) page: Option<String>,
    /// Whose number that is about, masked.
    pub(crate) recipient: Option<String>,
    /// How its code is to travel.
    pub(crate) channel: Option<Channel>,
    /// The application, where it is not the first.
    pub(crate) application: Option<String>,
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome<'a> {
    /// With this proof.
    Verified(&'a str),
    /// The person would rather not.
    Cancelled,
}

impl Host {
    /// What the server wrote on the document's root.
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

    /// Whether a session that was begun for that nonce and that page is this one's.
    pub(crate) fn is_for(&self, nonce: Option<&String>, page: Option<&String>) -> bool {
        (self.nonce.as_ref(), self.page.as_ref()) == (nonce, page)
    }

    /// True when there is a way back.
    pub(crate) fn is_there(&self) -> bool {
        self.return_to.is_some() || self.embedded_in.is_some()
    }

    /// True when the page goes away in the end.
    pub(crate) fn takes_back(&self) -> bool {
        self.return_to.is_some()
    }

    /// Hands the outcome over: to the page around this one, which stays, or by
    /// going back.
    pub(crate) fn tell(&self, outcome: Outcome<'_>) {
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
            frame::tell(origin, &message);
        } else if let Some(address) = &self.return_to {
            super::go_to(&format!("{address}#{}", self.fragment(outcome)));
        }
    }

    /// Tells the page around this one how high this one is, so that its frame fits.
    pub(crate) fn keep_told_of_height(&self) {
        if let Some(origin) = self.embedded_in.clone() {
            frame::on_resize(move |height| {
                let message = [
                    ("type", "countersign.resized".into()),
                    ("height", height.into()),
                ];
                frame::tell(&origin, &message);
            });
        }
    }

    fn fragment(&self, outcome: Outcome<'_>) -> String {
        let said = match outcome {
            // A proof has nothing that would need encoding (RFC 7515, 7.1).
            Outcome::Verified(proof) => format!("proof={proof}"),
            Outcome::Cancelled => "error=cancelled".to_owned(),
        };
        match &self.state {
            Some(state) => format!("{said}&state={}", String::from(encode_uri_component(state))),
            None => said,
        }
    }
}
