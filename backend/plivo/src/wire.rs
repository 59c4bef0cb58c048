//! Plivo's JSON. Unknown members are ignored; those we need are required.

use countersign_shared::{Channel, session::AttemptStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use countersign_core::{Charges, MicroDollars, UpstreamAttempt};

use crate::{PlivoError, Retrieved, UpstreamStatus};

#[derive(Serialize)]
pub(crate) struct CreateBody<'a> {
    pub(crate) recipient: &'a str,
    pub(crate) channel: Channel,
    pub(crate) locale: &'a str,
    pub(crate) brand_name: &'a str,
    pub(crate) code_length: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app_uuid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app_hash: Option<&'a str>,
    /// Callback URL, by POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct ValidateBody<'a> {
    pub(crate) otp: &'a str,
}

#[derive(Deserialize)]
struct Created {
    session_uuid: String,
}

#[derive(Deserialize)]
struct SessionDetails {
    session_uuid: Option<String>,
    status: Option<String>,
    /// `null` when there is no attempt.
    attempt_details: Option<Vec<AttemptDetails>>,
    #[serde(default)]
    charges: Value,
}

#[derive(Default, Deserialize)]
struct ChargeDetails {
    validation_charge: Option<String>,
    /// `null` when there is no attempt.
    attempt_charges: Option<Vec<AttemptCharge>>,
}

#[derive(Deserialize)]
struct AttemptCharge {
    attempt_uuid: Option<String>,
    charge: Option<String>,
}

#[derive(Deserialize)]
struct AttemptDetails {
    /// Some payloads misspell the name.
    attempt_uuid: Option<String>,
    channel: String,
    status: String,
}

/// The id of the session that was created. It goes into the path of later calls, so only
/// the characters of a UUID are accepted.
pub(crate) fn created(body: &[u8]) -> Result<String, PlivoError> {
    let created: Created = answer(body)?;
    let id = created.session_uuid;
    if is_plain_id(&id) {
        Ok(id)
    } else {
        Err(PlivoError::InvalidResponse)
    }
}

pub(crate) fn is_plain_id(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=64).contains(&id.len()) && id.bytes().all(is_plain)
}

/// Parses Plivo's session `asked`.
pub(crate) fn retrieved(body: &[u8], asked: &str) -> Result<Retrieved, PlivoError> {
    let retrieved: SessionDetails = answer(body)?;
    let is_about_it = retrieved
        .session_uuid
        .is_none_or(|id| id.eq_ignore_ascii_case(asked));
    // Unreadable charges do not hide the status.
    let costs: ChargeDetails = serde_json::from_value(retrieved.charges).unwrap_or_default();
    let status = retrieved.status.unwrap_or_default().to_ascii_lowercase();
    let mut known = Retrieved {
        status: match status.as_str() {
            _ if !is_about_it => UpstreamStatus::Other,
            "in-progress" => UpstreamStatus::InProgress,
            "expired" => UpstreamStatus::Expired,
            _ => UpstreamStatus::Other,
        },
        attempts: Vec::new(),
        charges: Charges {
            attempts: Vec::new(),
            validation: amount(costs.validation_charge.as_deref()),
        },
    };
    let attempts = retrieved.attempt_details.unwrap_or_default();
    for (place, attempt) in attempts.iter().enumerate() {
        let Some(channel) = Channel::parse(&attempt.channel) else {
            continue;
        };
        known.attempts.push(UpstreamAttempt {
            channel,
            status: attempt_status(&attempt.status),
            // Only callbacks have the reason.
            reason: None,
        });
        let prices = costs.attempt_charges.as_deref().unwrap_or_default();
        let charge = match &attempt.attempt_uuid {
            Some(id) => prices
                .iter()
                .find(|it| it.attempt_uuid.as_ref() == Some(id)),
            None => prices.get(place),
        };
        let charge = amount(charge.and_then(|it| it.charge.as_deref()));
        known.charges.attempts.push((channel, charge));
    }
    Ok(known)
}

/// Zero if it is missing or not an amount.
fn amount(text: Option<&str>) -> MicroDollars {
    text.and_then(|text| MicroDollars::parse(text).ok())
        .unwrap_or_default()
}

/// Plivo's statuses of all channels (reference: session lifecycle), in whatever case.
pub(crate) fn attempt_status(text: &str) -> AttemptStatus {
    match text.to_ascii_lowercase().as_str() {
        "sent" | "ringing" | "early media" => AttemptStatus::Sent,
        "delivered" | "read" | "answer" | "in-progress" | "completed" => AttemptStatus::Delivered,
        "undelivered" | "failed" => AttemptStatus::Undelivered,
        _ => AttemptStatus::Queued,
    }
}

/// A success: a JSON object without `error`.
fn answer<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, PlivoError> {
    let object: serde_json::Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| PlivoError::InvalidResponse)?;
    if object.contains_key("error") {
        return Err(PlivoError::InvalidResponse);
    }
    serde_json::from_value(Value::Object(object)).map_err(|_| PlivoError::InvalidResponse)
}

/// The text of a failure in lower case, or empty.
pub(crate) fn error_text(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    text_of(&value).to_ascii_lowercase()
}

/// Maximum depth at which a text is looked for.
const MAX_DEPTH: usize = 4;

/// An answer's text: under `error` or else `message`, either of which may be an object or a
/// list that contains one (reference: errors).
pub(crate) fn text_of(answer: &Value) -> String {
    fn find(value: &Value, depth: usize) -> Option<&str> {
        if depth == MAX_DEPTH {
            return None;
        }
        match value {
            Value::String(text) => Some(text),
            Value::Array(values) => values.iter().find_map(|it| find(it, depth + 1)),
            Value::Object(members) => {
                let named = ["error", "message"].into_iter();
                let mut found = named.filter_map(|name| members.get(name));
                found.find_map(|it| find(it, depth + 1))
            }
            _ => None,
        }
    }
    find(answer, 0).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_found_under_either_name_nested_or_not() {
        let text = "session expired";
        for answer in [
            json!({"error": text}),
            json!({"message": text}),
            json!({"error": {"message": text}}),
            json!({"error": {"error": text}}),
            json!({"message": {"error": {"message": text}}}),
            json!({"error": [{"message": text}]}),
            json!({"error": null, "message": text}),
            json!({"error": {"code": 7}, "message": text}),
            json!({"error": text, "message": "see error"}),
            json!(text),
        ] {
            assert_eq!(text_of(&answer), text, "{answer}");
        }
        let deep = json!({"error": {"error": {"error": {"error": {"error": text}}}}});
        for answer in [json!(null), json!({"other": text}), json!([7]), deep] {
            assert_eq!(text_of(&answer), "", "{answer}");
        }
    }
}
