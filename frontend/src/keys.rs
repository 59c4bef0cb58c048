//! Idempotency keys: what makes a repeated request one request to the server.

use leptos::prelude::*;

use crate::{browser, flow::Failure, page::Page};

impl Page {
    /// The key for what is asked: the same one while no answer has come, so that
    /// a second press after a lost connection costs no second message.
    pub(crate) fn key(self, asked: &str) -> String {
        self.unanswered.update_value(|unanswered| {
            if unanswered.as_ref().is_none_or(|(other, _)| other != asked) {
                let key = browser::random_key().unwrap_or_default();
                *unanswered = Some((asked.to_owned(), key));
            }
        });
        let key = |(_, key): &(String, String)| key.clone();
        self.unanswered
            .with_value(|unanswered| unanswered.as_ref().map(key))
            .unwrap_or_default()
    }

    /// An answer came: the next request is another one.
    pub(crate) fn forget_key(self, failure: Option<&Failure>) {
        if !failure.is_some_and(Failure::is_unanswered) {
            self.unanswered.set_value(None);
        }
    }
}
