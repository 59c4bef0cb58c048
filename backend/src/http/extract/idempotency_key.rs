//! The header `Idempotency-Key` (the IETF draft of that name).

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::future::{Ready, ready};
use serde::Serialize;

use crate::{http::problem::ApiError, verification::IdempotentRequest};

/// The header's name.
const HEADER: &str = "idempotency-key";
/// Length of a key: short ones can be guessed, long ones are a mistake.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=255;

/// The caller's key for this request, if there is one.
pub(crate) struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// The request with its key, scoped to `owner` and `path`: the same key of another
    /// owner is another request.
    pub(crate) fn request(
        self,
        owner: impl std::fmt::Display,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Option<IdempotentRequest>, ApiError> {
        let Some(key) = self.0 else { return Ok(None) };
        Ok(Some(IdempotentRequest {
            scope: format!("{owner}\n{path}"),
            key,
            body: serde_json::to_string(body).map_err(|_| ApiError::Internal)?,
        }))
    }
}

impl FromRequest for IdempotencyKey {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut values = request.headers().get_all(HEADER);
        ready(match (values.next(), values.next()) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => value
                .to_str()
                .ok()
                // The draft requires a quoted string; most callers send a plain one.
                .map(|text| text.trim_matches('"'))
                .filter(|key| LENGTH.contains(&key.len()))
                .filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic()))
                .map(|key| Self(Some(key.to_owned())))
                .ok_or(ApiError::InvalidField("Idempotency-Key")),
            (Some(_), Some(_)) => Err(ApiError::InvalidField("Idempotency-Key")),
        })
    }
}
