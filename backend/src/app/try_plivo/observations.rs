//! What we assume of Plivo, beside what Plivo did.

use serde_json::{Map, Value, json};

use super::scrub::Scrubber;

/// The form of a recording, which the simulator knows.
const FORMAT: &str = "countersign-plivo-recording/1";

/// What we assume where Plivo publishes nothing or may change, by name. The simulator
/// behaves so of itself; a test holds the two together.
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
/// Asked with a name that nobody has.
const UNKNOWN: (&str, &str) = ("unknown_session", "404 \"session not found\"");

/// An answer of Plivo's, cleaned: its status and its text.
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Said {
    fn words(&self) -> String {
        format!("{} \"{}\"", self.status, self.text)
    }
}

/// What is known so far.
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

    /// An answer, beside ours; the line to print.
    pub(super) fn answered(&mut self, name: &str, said: &Said) -> String {
        let value = json!({"status": said.status, "text": said.text});
        self.note(name, &said.words(), value)
    }

    /// A word, beside ours; the line to print.
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

    /// How many differ, and how many there are.
    pub(super) fn counted(&self) -> (usize, usize) {
        (self.differing, self.seen.len())
    }

    /// The recording. Refused where anything private is in it after all.
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
