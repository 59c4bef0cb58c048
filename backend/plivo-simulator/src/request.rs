//! Parsing of bodies: as tolerant as Plivo's official SDKs need.

use serde_json::{Map, Value};

/// A body: a JSON object with case-insensitive keys.
pub(crate) fn object(body: &[u8]) -> Option<Map<String, Value>> {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        return None;
    };
    Some(
        object
            .into_iter()
            .map(|(key, value)| (key.to_ascii_lowercase(), value))
            .collect(),
    )
}

/// A string, or a number as a string; null and empty count as absent.
pub(crate) fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A well-formed create request.
pub(crate) struct CreateRequest {
    /// Digits only.
    pub(crate) recipient: String,
    pub(crate) app_uuid: Option<String>,
    pub(crate) channel: String,
    pub(crate) locale: String,
    pub(crate) url: Option<url::Url>,
    /// The callback URL as it was given, which is what gets signed.
    pub(crate) url_text: String,
    pub(crate) get: bool,
    pub(crate) brand_name: Option<String>,
    pub(crate) app_hash: Option<String>,
    pub(crate) code_length: Option<u64>,
    pub(crate) dtmf: Option<i64>,
    pub(crate) fraud_check: Option<String>,
    pub(crate) otp: Option<String>,
}

impl CreateRequest {
    /// Parses it; the error is the text of Plivo's `error`.
    pub(crate) fn read(body: &Map<String, Value>) -> Result<Self, &'static str> {
        let recipient = text(body, "recipient").ok_or("recipient is invalid")?;
        let recipient = recipient.strip_prefix('+').unwrap_or(&recipient).to_owned();
        if !(7..=15).contains(&recipient.len()) || !is_digits(&recipient) {
            return Err("recipient is invalid");
        }
        let channel = text(body, "channel").unwrap_or_else(|| "sms".to_owned());
        if !["sms", "voice", "whatsapp"].contains(&channel.as_str()) {
            return Err("channel is invalid");
        }
        let url_text = text(body, "url").unwrap_or_default();
        let url = match url::Url::parse(&url_text) {
            Ok(url) if ["http", "https"].contains(&url.scheme()) => Some(url),
            _ if url_text.is_empty() => None,
            _ => return Err("url is invalid"),
        };
        let method = text(body, "method")
            .unwrap_or_default()
            .to_ascii_uppercase();
        if !["", "GET", "POST"].contains(&method.as_str()) {
            return Err("method is invalid");
        }
        let code_length = match body.get("code_length") {
            None | Some(Value::Null) => None,
            Some(value) if value == 0 || value == "" => None,
            Some(value) => match value.as_u64() {
                Some(length @ 4..=8) => Some(length),
                _ => return Err("code_length must be between 4 and 8"),
            },
        };
        let otp = text(body, "otp");
        if otp
            .as_ref()
            .is_some_and(|otp| !(4..=8).contains(&otp.len()) || !is_digits(otp))
        {
            return Err("otp is invalid");
        }
        Ok(Self {
            recipient,
            app_uuid: text(body, "app_uuid"),
            channel,
            locale: text(body, "locale").unwrap_or_else(|| "en".to_owned()),
            url,
            url_text,
            get: method == "GET",
            brand_name: text(body, "brand_name"),
            app_hash: text(body, "app_hash"),
            code_length,
            dtmf: body.get("dtmf").and_then(Value::as_i64),
            fraud_check: text(body, "fraud_check"),
            otp,
        })
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}
