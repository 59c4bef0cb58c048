//! Our assumptions about Plivo beside its observed behaviour.

use serde_json::{Map, Value, json};

use super::scrub::Scrubber;

/// Format version of a recording, which the simulator checks.
const FORMAT: &str = "countersign-plivo-recording/1";

/// Our assumptions by name, where Plivo publishes nothing or may change. The simulator
/// behaves like this by default; a test compares the two.
const ASSUMED: [(&str, &str); 15] = [
    ("create", "202 \"Session initiated\""),
    ("callback_signature", "v2"),
    ("callback_content_type", "application/x-www-form-urlencoded"),
    (
        "callback_parameters",
        "AttemptSequence AttemptUUID Channel ChannelErrorCode ChannelStatus Recipient RequestTime \
         SessionStatus SessionUUID",
    ),
    ("callback_statuses", "queued sent delivered"),
    ("callback_recipient", "digits"),
    ("second_create", "the same session"),
    ("second_code", "the same code"),
    ("wrong_code", "400 \"incorrect otp\""),
    ("right_code", "200 \"session validated successfully.\""),
    ("status_after_success", "verified"),
    ("validation_charge", "none"),
    ("used_code", "400 \"session already verified\""),
    ("create_after_success", "a new session"),
    ("expired_code", "400 \"session expired\""),
];
/// Requested with an id that does not exist.
const UNKNOWN: (&str, &str) = ("unknown_session", "404 \"session not found\"");

/// A scrubbed answer of Plivo: status and text.
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Said {
    fn words(&self) -> String {
        format!("{} \"{}\"", self.status, self.text)
    }
}

/// The observations so far.
pub(super) struct Observations {
    scrubber: Scrubber,
    seen: Map<String, Value>,
    differing: usize,
}

impl Observations {
    pub(super) fn new(scrubber: Scrubber) -> Self {
        Self {
            scrubber,
            seen: Map::new(),
            differing: 0,
        }
    }

    pub(super) fn scrubber(&mut self) -> &mut Scrubber {
        &mut self.scrubber
    }

    /// Records an answer; returns the line that compares it with our assumption.
    pub(super) fn answered(&mut self, name: &str, said: &Said) -> String {
        let value = json!({"status": said.status, "text": said.text});
        self.note(name, &said.words(), value)
    }

    /// Records a value; returns the line that compares it with our assumption.
    pub(super) fn is(&mut self, name: &str, word: &str) -> String {
        let word = self.scrubber.clean(word);
        self.note(name, &word, word.as_str().into())
    }

    fn note(&mut self, name: &str, words: &str, value: Value) -> String {
        let mut assumed = ASSUMED.iter().chain([&UNKNOWN]);
        let assumed = assumed.find(|(known, _)| *known == name);
        let (_, ours) = assumed.expect("every fact has its assumption");
        self.seen.insert(name.to_owned(), value);
        if *ours == words {
            return format!("as assumed  {name}: {ours}");
        }
        self.differing += 1;
        format!("DIFFERENT   {name}: assumed {ours}; Plivo: {words}")
    }

    /// The number of differences and of observations.
    pub(super) fn counted(&self) -> (usize, usize) {
        (self.differing, self.seen.len())
    }

    /// The recording. Refused if it contains anything private after scrubbing.
    pub(super) fn recording(&self) -> Result<String, String> {
        let recording = json!({
            "format": FORMAT,
            "recorded_by": concat!("countersign ", env!("CARGO_PKG_VERSION")),
            "facts": self.seen,
        });
        let text = format!("{recording:#}\n");
        if self.scrubber.finds_private(&text) {
            return Err("the recording would hold something private; it is not written".to_owned());
        }
        Ok(text)
    }
}
