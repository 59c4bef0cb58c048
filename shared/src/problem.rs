//! The format of every error, and the registry of error codes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::session::NextAction;

/// The media type of every error (RFC 9457).
pub const CONTENT_TYPE: &str = "application/problem+json";

/// Defines the registry in one place: each code, its name on the wire, its title.
macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $code:ident = $name:literal, $title:literal;)+) => {
        /// Why a request failed. Stable: clients branch on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $code,)+
            /// Sent by a newer server; unknown to this build.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl ErrorCode {
            /// Every code a server answers with.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $name,)+ Self::Unknown => "unknown" }
            }

            /// The kind of failure, always the same for a code.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)+ Self::Unknown => "Unknown problem" }
            }
        }
    };
}

error_codes! {
    /// The request or one of its fields is malformed.
    InvalidRequest = "invalid_request", "Invalid request";
    /// The body did not arrive in time.
    RequestTimeout = "request_timeout", "Request timed out";
    /// The body is larger than a request can be.
    RequestTooLarge = "request_too_large", "Request too large";
    /// The body is not declared as JSON.
    UnsupportedMediaType = "unsupported_media_type", "Unsupported media type";
    /// The path supports other methods only.
    MethodNotAllowed = "method_not_allowed", "Method not allowed";
    /// The request comes from another site's page, and its origin is not on the list.
    OriginNotAllowed = "origin_not_allowed", "Origin not allowed";
    /// No key, or a wrong or revoked one.
    Unauthorized = "unauthorized", "Unauthorized";
    /// A browser page used an application's key.
    KeyFromBrowser = "key_from_browser", "Key used by a page";
    /// A callback without Plivo's signature, or a replayed one.
    CallbackRejected = "callback_rejected", "Callback rejected";
    /// There is nothing at that path.
    NotFound = "not_found", "Not found";
    /// Not a readable phone number.
    RecipientInvalid = "recipient_invalid", "Invalid phone number";
    /// The number's country is not served.
    CountryNotAllowed = "country_not_allowed", "Country not served";
    /// A landline, premium or other number that is not served.
    NumberTypeNotAllowed = "number_type_not_allowed", "Kind of number not served";
    /// The channel is switched off.
    ChannelNotAvailable = "channel_not_available", "Channel not available";
    /// The code is wrong.
    OtpIncorrect = "otp_incorrect", "Wrong code";
    /// No session has that id.
    SessionNotFound = "session_not_found", "Session not found";
    /// The session or its code has expired.
    SessionExpired = "session_expired", "Session expired";
    /// The session's code has been used.
    SessionAlreadyVerified = "session_already_verified", "Session already verified";
    /// Too many wrong codes in this session.
    ChecksExhausted = "checks_exhausted", "Too many wrong codes";
    /// A request with the same idempotency key is in progress.
    RequestUnderWay = "request_under_way", "Request under way";
    /// The idempotency key was used for another request.
    IdempotencyKeyReused = "idempotency_key_reused", "Idempotency key reused";
    /// Too many requests of one kind.
    RateLimited = "rate_limited", "Too many requests";
    /// Plivo refused our request or sent an invalid answer.
    UpstreamError = "upstream_error", "Delivery service failed";
    /// Try again in a moment.
    TemporarilyUnavailable = "temporarily_unavailable", "Temporarily unavailable";
    /// Plivo did not answer in time.
    UpstreamTimeout = "upstream_timeout", "Delivery service timed out";
    /// A fault on our side.
    InternalError = "internal_error", "Internal error";
}

/// An error (RFC 9457), with the members that this API adds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A URN that identifies the code.
    pub r#type: String,
    /// The kind of failure.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    #[cfg_attr(feature = "openapi", schema(minimum = 400, maximum = 599))]
    pub status: u16,
    /// What to do about it.
    pub detail: Cow<'static, str>,
    /// Its code in the registry.
    pub code: ErrorCode,
    /// Equal to `detail`, for clients of the first API.
    pub message: Cow<'static, str>,
    /// The id with which the server logs the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub request_id: Option<String>,
    /// Whole seconds to wait, equal to the `Retry-After` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub retry_after: Option<u64>,
    /// The rate limit that was reached, such as `resend_waits` or `sends_per_number`; one
    /// that has a variable is named after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(nullable = false, examples("resend_waits"))
    )]
    pub limit: Option<Cow<'static, str>>,
    /// False when a code was checked and found wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub verified: Option<bool>,
    /// How many more codes may be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub checks_left: Option<u8>,
    /// The field that is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub field: Option<Cow<'static, str>>,
    /// What the caller can do next, the most likely first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_actions: Vec<NextAction>,
}

/// Validators that the server derives on requests. Each delegates to the newtype, so that
/// the rule exists once, and returns the registry's code.
#[cfg(feature = "validator")]
pub(crate) mod check {
    use validator::ValidationError;

    use super::ErrorCode;
    use crate::{OneTimeCode, PhoneNumber, SessionId};

    fn as_validation<T, E>(parsed: Result<T, E>, code: ErrorCode) -> Result<(), ValidationError> {
        parsed
            .map(drop)
            .map_err(|_| ValidationError::new(code.as_str()))
    }

    pub(crate) fn recipient(text: &str) -> Result<(), ValidationError> {
        as_validation(PhoneNumber::parse(text), ErrorCode::RecipientInvalid)
    }

    pub(crate) fn session_uuid(text: &str) -> Result<(), ValidationError> {
        as_validation(SessionId::parse(text), ErrorCode::InvalidRequest)
    }

    pub(crate) fn nonce(text: &str) -> Result<(), ValidationError> {
        as_validation(
            crate::send::is_nonce(text).then_some(()).ok_or(()),
            ErrorCode::InvalidRequest,
        )
    }

    pub(crate) fn otp(text: &str) -> Result<(), ValidationError> {
        as_validation(OneTimeCode::parse(text), ErrorCode::InvalidRequest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_serialised_by_name_and_parsed_back() {
        for code in ErrorCode::ALL {
            let text = serde_json::to_string(code).unwrap();
            assert_eq!(text, format!("\"{}\"", code.as_str()));
            assert_eq!(serde_json::from_str::<ErrorCode>(&text).unwrap(), *code);
        }
    }

    #[test]
    fn a_newer_servers_code_is_parsed_as_unknown() {
        let code: ErrorCode = serde_json::from_str("\"from_the_future\"").unwrap();
        assert_eq!(code, ErrorCode::Unknown);
    }
}
