//! Applies a recording of the real Plivo (`countersign --try-plivo`) in place of
//! assumptions.

use serde_json::Value;

use crate::settings::{AnswerText, Settings, SignatureVersion};

/// The format that is understood.
const FORMAT: &str = "countersign-plivo-recording/1";
/// The charge for a check if there is one, as in Plivo's own fixtures.
const SOME_CHARGE: u32 = 5_000;

impl Settings {
    /// Changes the settings to match the recording; what it does not contain stays. `Err`
    /// says why it is invalid.
    pub fn replay(&mut self, recording: &str) -> Result<(), String> {
        let recording: Value =
            serde_json::from_str(recording).map_err(|error| error.to_string())?;
        if recording["format"] != FORMAT {
            return Err(format!("the recording's format is not {FORMAT}"));
        }
        let facts = &recording["facts"];
        let answers = [
            ("create", &mut self.created),
            ("right_code", &mut self.validated),
            ("wrong_code", &mut self.wrong_otp),
            ("used_code", &mut self.already_verified),
            ("expired_code", &mut self.expired),
            ("unknown_session", &mut self.unknown_session),
        ];
        for (name, answer) in answers {
            if let Some(said) = said(&facts[name])? {
                *answer = said;
            }
        }
        let word = |name: &str| facts[name].as_str();
        match word("callback_signature") {
            Some("v2") => self.signature = SignatureVersion::V2,
            Some("v3") => self.signature = SignatureVersion::V3,
            _ => {}
        }
        if let Some(names) = word("callback_parameters") {
            self.callback_parameters = names.split(' ').map(str::to_owned).collect();
        }
        if let Some(kind) = word("callback_content_type") {
            kind.clone_into(&mut self.callback_content_type);
        }
        if let Some(form) = word("callback_recipient") {
            self.callback_recipient_has_plus = form == "digits behind a plus";
        }
        if let Some(status) = word("status_after_success") {
            status.clone_into(&mut self.verified_status);
        }
        if let Some(session) = word("second_create") {
            self.reuses_open_session = session == "the same session";
        }
        if let Some(session) = word("create_after_success") {
            self.reuses_verified_session = session == "the same session";
        }
        if let Some(charge) = word("validation_charge") {
            self.validation_charge = if charge == "none" { 0 } else { SOME_CHARGE };
        }
        Ok(())
    }
}

fn said(fact: &Value) -> Result<Option<AnswerText>, String> {
    if fact.is_null() {
        return Ok(None);
    }
    let status = fact["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    match (status, fact["text"].as_str()) {
        (Some(status @ 200..=599), Some(text)) => Ok(Some(AnswerText::new(status, text))),
        _ => Err("an answer has no status and text".to_owned()),
    }
}
