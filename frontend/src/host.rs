//! The application that a person came from, and the way back to it.
//!
//! The server has checked where to: it writes what it allows on the page's root,
//! and nothing else is believed, least of all the page's address.

use wasm_bindgen::JsValue;
use web_sys::{
    HtmlElement,
    js_sys::{Object, Reflect, encode_uri_component},
};

use crate::browser;

/// Where the person came from.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Host {
    /// Where the page goes at the end.
    return_to: Option<String>,
    /// The origin of the page that this one is inside of.
    embedded_in: Option<String>,
    /// The application's own word, handed back as it came.
    state: Option<String>,
    /// What the proof is to repeat.
    pub(crate) nonce: Option<String>,
}

/// How it ended.
#[derive(Clone, Copy)]
pub(crate) enum Outcome<'a> {
    /// With this proof.
    Verified(&'a str),
    /// The person would rather not.
    Cancelled,
}

impl Host {
    /// What the server wrote on the page's root.
    pub(crate) fn of(root: &HtmlElement) -> Self {
        let read = |name: &str| root.get_attribute(name);
        Self {
            return_to: read("data-return-to"),
            embedded_in: read("data-embedded-in"),
            state: read("data-state"),
            nonce: read("data-nonce"),
        }
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
            browser::tell_parent(&self.message(outcome), origin);
        } else if let Some(address) = &self.return_to {
            browser::go_to(&format!("{address}#{}", self.fragment(outcome)));
        }
    }

    fn message(&self, outcome: Outcome<'_>) -> JsValue {
        let message = Object::new();
        let set = |name: &str, value: &str| {
            // A new object takes any member.
            let _ = Reflect::set(&message, &name.into(), &value.into());
        };
        match outcome {
            Outcome::Verified(proof) => {
                set("type", "countersign.verified");
                set("proof", proof);
            }
            Outcome::Cancelled => set("type", "countersign.cancelled"),
        }
        if let Some(state) = &self.state {
            set("state", state);
        }
        message.into()
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
