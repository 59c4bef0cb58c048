//! Parsing of request bodies: strict, and no error repeats their content.

use std::time::Duration;

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH},
};
use countersign_shared::ErrorCode;
use futures_util::{StreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use validator::{Validate, ValidationErrors};

use crate::{http::problem::ApiError, verification::Refusal};

/// Maximum body size; the largest valid request has some 200 bytes.
const MAX_BODY: usize = 4096;
/// Timeout for a body. The framework has one for the head only.
const MAX_TIME: Duration = Duration::from_secs(10);

/// Every field of every request. An error names only these, never a field of the caller's.
const FIELDS: [&str; 15] = [
    "recipient",
    "channel",
    "locale",
    "nonce",
    "session_uuid",
    "otp",
    "purpose",
    "application",
    "page",
    "return_to",
    "embed",
    "state",
    "end_user",
    "end_user.address",
    "end_user.id",
];

/// Unknown fields that an error may name: Plivo's own parameters, and what other services
/// call ours.
const FOREIGN_FIELDS: [&str; 21] = [
    "method",
    "url",
    "callback_url",
    "app_uuid",
    "app_hash",
    "brand_name",
    "code_length",
    "otp_length",
    "dtmf",
    "fraud_check",
    "phone",
    "phone_number",
    "number",
    "to",
    "dst",
    "code",
    "token",
    "session_id",
    "session",
    "language",
    "lang",
];

/// A request that passed all stateless validation.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Validate + 'static> FromRequest for JsonBody<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_plain(request, "application/json");
        let is_too_large = declares_too_much(request);
        let mut payload = payload.take();
        Box::pin(async move {
            if is_too_large {
                return Err(ApiError::TooLarge);
            }
            if !is_json {
                return Err(ApiError::UnsupportedMediaType);
            }
            let body = in_time(&mut payload).await?;
            let request: T = parse(&body)?;
            request.validate().map_err(|errors| invalid(&errors))?;
            Ok(Self(request))
        })
    }
}

/// The fields of a form (RFC 7662, 2.1).
pub(crate) struct FormBody(Vec<(String, String)>);

impl FormBody {
    /// All fields.
    pub(crate) fn fields(&self) -> &[(String, String)] {
        &self.0
    }

    /// The value of a field; an error if it is repeated.
    pub(crate) fn one(&self, name: &'static str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(field, _)| field == name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value.map(|(_, value)| value.as_str())),
            (_, Some(_)) => Err(ApiError::InvalidField(name)),
        }
    }
}

impl FromRequest for FormBody {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_form = is_plain(request, "application/x-www-form-urlencoded");
        let is_too_large = declares_too_much(request);
        let mut payload = payload.take();
        Box::pin(async move {
            if is_too_large {
                return Err(ApiError::TooLarge);
            }
            if !is_form {
                return Err(ApiError::NoForm);
            }
            let body = in_time(&mut payload).await?;
            let fields = form_urlencoded::parse(&body);
            Ok(Self(fields.into_owned().collect()))
        })
    }
}

/// Whether the declared length is too large; such a body is not read.
fn declares_too_much(request: &HttpRequest) -> bool {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length > MAX_BODY as u64)
}

/// Whether the content type matches, without compression.
fn is_plain(request: &HttpRequest, media_type: &str) -> bool {
    request.content_type().eq_ignore_ascii_case(media_type)
        && !request.headers().contains_key(CONTENT_ENCODING)
}

async fn in_time(payload: &mut Payload) -> Result<Vec<u8>, ApiError> {
    tokio::time::timeout(MAX_TIME, whole(payload))
        .await
        .map_err(|_| ApiError::TooSlow)?
}

async fn whole(payload: &mut Payload) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::InvalidBody)?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(ApiError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // serde would accept an array in place of an object, field by field.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::InvalidBody);
    }
    serde_json::from_slice(body).map_err(|_| fault::<T>(body))
}

/// Locates the error by parsing once more: tracking the path to each field takes more time
/// than everything else.
fn fault<T: DeserializeOwned>(body: &[u8]) -> ApiError {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read: Result<T, _> = serde_path_to_error::deserialize(&mut deserializer);
    // Trailing data is reported only if the object is valid.
    read.err().map_or(ApiError::InvalidBody, |error| {
        // A truncated body has no field at fault.
        if error.inner().classify() != Category::Data {
            return ApiError::InvalidBody;
        }
        let path = error.path().to_string();
        let cause = error.inner().to_string();
        if let Some(unknown) = cause.strip_prefix("unknown field `") {
            let nameable = FIELDS.into_iter().chain(FOREIGN_FIELDS);
            return nameable
                .into_iter()
                .find(|field| unknown.starts_with(&format!("{field}`")))
                .map(ApiError::UnknownField)
                .or_else(|| missing::<T>(body).map(ApiError::InvalidField))
                .unwrap_or(ApiError::InvalidBody);
        }
        known_field(|field| path == field || is_missing(&cause, field))
            .map_or(ApiError::InvalidBody, ApiError::InvalidField)
    })
}

/// The missing field, if an unknown field is present.
fn missing<T: DeserializeOwned>(body: &[u8]) -> Option<&'static str> {
    let mut fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).ok()?;
    fields.retain(|name, _| known_field(|field| field == name).is_some());
    let cause = T::deserialize(serde_json::Value::from(fields)).err()?;
    let cause = cause.to_string();
    known_field(|field| is_missing(&cause, field))
}

fn is_missing(cause: &str, field: &str) -> bool {
    cause.starts_with(&format!("missing field `{field}`"))
}

fn known_field(is_it: impl Fn(&str) -> bool) -> Option<&'static str> {
    FIELDS.into_iter().find(|field| is_it(field))
}

/// The library's errors contain rejected values, so only the field and our own code are
/// used.
fn invalid(errors: &ValidationErrors) -> ApiError {
    let failed = errors.field_errors();
    let Some(field) = known_field(|field| failed.contains_key(field)) else {
        return ApiError::InvalidBody;
    };
    let code = failed[field].first().map(|error| error.code.as_ref());
    if code == Some(ErrorCode::RecipientInvalid.as_str()) {
        Refusal::RecipientInvalid.into()
    } else {
        ApiError::InvalidField(field)
    }
}
