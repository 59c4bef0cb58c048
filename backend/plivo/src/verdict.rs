//! Interprets Plivo's answer to a code.
//!
//! A code is accepted only by Plivo's own sentence (reference: validate). Plivo publishes
//! neither the status nor the text of a refusal, so any other 2xx must not count: it might
//! be a refusal.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use crate::wire;

/// Plivo's success, as it is compared: lower case, without its full stop.
pub const SUCCESS: &str = "session validated successfully";

/// Minimum letters of an accepted message, so that no single word can be one.
const MIN_LETTERS: usize = 12;
/// Longer than any sentence of Plivo's.
const MAX_LENGTH: usize = 200;

/// The sentences that accept a code, normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedMessages(Vec<String>);

impl Default for AcceptedMessages {
    fn default() -> Self {
        Self(vec![SUCCESS.to_owned()])
    }
}

impl AcceptedMessages {
    /// Reads whole sentences between `|`. `None` if one has fewer than twelve letters, is
    /// too long or is not printable.
    pub fn parse(text: &str) -> Option<Self> {
        let sentences = text.split('|').map(|sentence| {
            let is_printable = !sentence.chars().any(char::is_control);
            let letters = sentence.chars().filter(|it| it.is_alphabetic()).count();
            let is_sentence = letters >= MIN_LETTERS && sentence.len() <= MAX_LENGTH;
            (is_printable && is_sentence).then(|| normalised(sentence))
        });
        sentences.collect::<Option<_>>().map(Self)
    }

    /// Those other than Plivo's known sentence.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        let all = self.0.iter().map(String::as_str);
        all.filter(|sentence| *sentence != SUCCESS)
    }

    fn contains(&self, message: &str) -> bool {
        self.0.contains(&normalised(message))
    }

    /// Whether a JSON answer with status 200 accepts the code of the session `asked`.
    pub fn accept(&self, body: &Value, asked: &str) -> bool {
        let Value::Object(body) = body else {
            return false;
        };
        let is_about_it = body
            .get("session_uuid")
            .is_none_or(|id| id.as_str().is_some_and(|id| id.eq_ignore_ascii_case(asked)));
        let message = body.get("message").and_then(Value::as_str);
        !body.contains_key("error")
            && is_about_it
            && message.is_some_and(|message| self.contains(message))
    }
}

fn normalised(message: &str) -> String {
    let lower = message.trim().to_lowercase();
    lower.strip_suffix('.').unwrap_or(&lower).to_owned()
}

/// Maximum number of Plivo's texts that one process logs.
const MAX_TEXTS: usize = 32;
/// Maximum characters of each.
const MAX_TEXT: usize = 80;

/// Unexpected texts, each logged once.
#[derive(Default)]
pub(crate) struct UnexpectedTexts(Mutex<HashSet<String>>);

impl UnexpectedTexts {
    /// Logs Plivo's text, unless this process has logged it before, or enough others.
    pub(crate) fn log(&self, status: u16, body: &Value) {
        let text = redacted(&wire::text_of(body));
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.len() < MAX_TEXTS && logged.insert(format!("{status} {text}")) {
            log::error!(
                event = "upstream.unexpected", step = "validate", status = status, text = text.as_str();
                "Plivo answered a code with neither its success nor a refusal; it was not accepted"
            );
        }
    }
}

/// The printable start of a text, with each run of two or more digits as `#`: it may be a
/// code or a number. Digits separated by non-letters are one run.
fn redacted(text: &str) -> String {
    let mut shown = String::new();
    let mut run = String::new();
    let mut length = 0;
    let flush = |run: &mut String, shown: &mut String| {
        let digits = run.chars().filter(|it| it.is_numeric()).count();
        if digits >= 2 {
            let end = run.rfind(char::is_numeric).unwrap_or_default();
            let rest: String = run[end..].chars().skip(1).collect();
            shown.push('#');
            shown.push_str(&rest);
        } else {
            shown.push_str(run);
        }
        run.clear();
    };
    for character in text.chars().filter(|it| is_printable(*it)) {
        if character.is_numeric() || (!run.is_empty() && !character.is_alphabetic()) {
            run.push(character);
        } else {
            flush(&mut run, &mut shown);
            shown.push(character);
        }
        length += 1;
        if length == 4 * MAX_TEXT {
            break;
        }
    }
    flush(&mut run, &mut shown);
    shown.chars().take(MAX_TEXT).collect()
}

/// Neither a control character nor one that reorders or hides text.
fn is_printable(character: char) -> bool {
    let is_mark = matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    );
    !character.is_control() && !is_mark
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ASKED: &str = "8e712097-8090-4644-81e7-8f4265d8354e";

    #[test]
    fn only_plivos_own_sentence_accepts_a_code() {
        let accepted = AcceptedMessages::default();
        for body in [
            json!({"message": "session validated successfully."}),
            json!({"message": "session validated successfully"}),
            json!({"message": " Session Validated SUCCESSFULLY.\n"}),
            json!({"message": "session validated successfully.", "session_uuid": ASKED}),
            json!({"message": "session validated successfully.", "api_id": "x", "other": [1]}),
        ] {
            assert!(accepted.accept(&body, ASKED), "{body}");
        }
        let other = "0e712097-8090-4644-81e7-8f4265d8354e";
        for body in [
            json!({}),
            json!(null),
            json!("session validated successfully."),
            json!([{"message": "session validated successfully."}]),
            json!({"message": null}),
            json!({"message": true}),
            json!({"message": ["session validated successfully."]}),
            json!({"message": {"message": "session validated successfully."}}),
            json!({"message": ""}),
            json!({"message": "success"}),
            json!({"message": "session validated"}),
            json!({"message": "session not validated successfully."}),
            json!({"message": "session validated successfully.."}),
            json!({"message": "session validated successfully!"}),
            json!({"message": "session  validated successfully"}),
            json!({"message": "session validated successfully. no"}),
            json!({"message": "unsession validated successfully"}),
            json!({"message": "session already validated"}),
            json!({"message": "The passcode entered is incorrect."}),
            json!({"message": "session validated successfully.", "error": null}),
            json!({"message": "session validated successfully.", "error": "no"}),
            json!({"message": "session validated successfully.", "session_uuid": other}),
            json!({"message": "session validated successfully.", "session_uuid": null}),
            json!({"message": "session validated successfully.", "session_uuid": 7}),
        ] {
            assert!(!accepted.accept(&body, ASKED), "{body}");
        }
    }

    #[test]
    fn an_operator_may_follow_a_change_of_words() {
        let text = "Session validated successfully.| The code is right, thank you. ";
        let accepted = AcceptedMessages::parse(text).unwrap();
        let others: Vec<&str> = accepted.others().collect();
        assert_eq!(others, ["the code is right, thank you"]);
        let body = |message: &str| json!({"message": message});
        assert!(accepted.accept(&body("the code is right, thank you"), ASKED));
        assert!(accepted.accept(&body(SUCCESS), ASKED));
        assert!(!accepted.accept(&body("the code is right"), ASKED));
        // A configured list replaces the default.
        let alone = AcceptedMessages::parse("the code is right, thank you").unwrap();
        assert!(!alone.accept(&body(SUCCESS), ASKED));
        let long = "x".repeat(MAX_LENGTH + 1);
        for wrong in [
            "",
            "|",
            "ok",
            "success",
            "123456789012",
            "session validated successfully|",
            "|session validated successfully",
            "session validated successfully|ok",
            "session\tvalidated successfully",
            &long,
        ] {
            assert_eq!(AcceptedMessages::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_code_and_no_number_is_in_a_text_that_is_logged() {
        for (text, shown) in [
            ("otp 123456 is wrong", "otp # is wrong"),
            ("number +1 415-555-0123.", "number +#."),
            ("1, 2, 3 and 4", "# and 4"),
            ("try 1 more", "try 1 more"),
            ("code ١٢٣٤٥٦", "code #"),
            ("a\u{202e}b\u{200b}\r\n\u{1b}[31mc", "ab[#mc"),
        ] {
            assert_eq!(redacted(text), shown, "{text:?}");
        }
        assert_eq!(redacted(&"x".repeat(500)).len(), 80);
        assert_eq!(redacted(&"12 ".repeat(500)), "#");
    }

    #[test]
    fn a_text_is_remembered_once_and_few_of_them() {
        let texts = UnexpectedTexts::default();
        for number in 0..100 {
            let word: String = (0..number).map(|_| 'x').collect();
            texts.log(200, &json!({"message": word}));
            texts.log(200, &json!({"message": word}));
        }
        assert_eq!(texts.0.lock().unwrap().len(), MAX_TEXTS);
    }
}
