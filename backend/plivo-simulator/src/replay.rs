//! What a recording of the real Plivo says (`countersign --try-plivo`) takes the place
//! of what is assumed.

use serde_json::Value;

use crate::settings::{AnswerText, Settings, SignatureVersion};

/// The form that is understood.
const FORMAT: &str = "countersign-plivo-recording/1";
/// What is charged for a check where something is: Plivo's own fixtures have it.
const SOME_CHARGE: u32 = 5_000;

impl Settings {
    /// Behaves as the recording says; what it does not tell stays as it is. `Err` says
    /// why it is none.
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
