//! `POST /api/otp/send`: a new session and its first code.

use serde::{Deserialize, Serialize};

use crate::{Channel, EndUser, Locale, Purpose, SessionId, session::NextAction};

/// Where the request goes.
pub const PATH: &str = "/api/otp/send";

/// Whether a text can be a nonce: 1 to 255 visible ASCII characters.
pub fn is_nonce(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Asks for a code.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "validator", derive(validator::Validate))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// The phone number with its country code, as people write it.
    #[cfg_attr(
        feature = "validator",
        validate(custom(function = "crate::problem::check::recipient"))
    )]
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::recipient))]
    pub recipient: String,
    /// How the code travels; `sms` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The language of the message, a BCP 47 tag: the nearest that there is, or the
    /// server's own.
    #[serde(
        default,
        deserialize_with = "crate::locale::wish",
        skip_serializing_if = "Option::is_none"
    )]
    pub locale: Option<Locale>,
    /// A word of the application's, which the proof repeats: 1 to 255 visible
    /// ASCII characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "validator",
        validate(custom(function = "crate::problem::check::nonce"))
    )]
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::nonce, required = false))]
    pub nonce: Option<String>,
    /// What it is for; the proof repeats it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The application that it is for, by its id; with a key the key's own, and without
    /// one the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(examples("shop")))]
    pub application: Option<String>,
    /// With a key: sends nothing yet, and answers the address of a page of ours for this
    /// number, where the person asks for the code themselves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub page: bool,
    /// Where that page leads back to: one of the application's return addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<String>,
    /// The origin of the page that has it in a frame instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embed: Option<String>,
    /// A word of the application's that comes back with the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// For whom an application's server calls, with its key only.
    #[serde(
        default,
        deserialize_with = "crate::end_user::from_object",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_user: Option<EndUser>,
}

/// The session a code was sent for: the answer to send and to resend.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SendResponse {
    /// The session's name. Whoever holds it may check the code.
    pub session_uuid: SessionId,
    /// The number the code went to, in E.164.
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::e164))]
    pub recipient: String,
    /// How this code travels.
    pub channel: Channel,
    /// How many digits the code has.
    pub otp_length: u8,
    /// When the session ends, RFC 3339 in UTC. Resending does not move it.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: String,
    /// Whole seconds until then.
    pub expires_in: u64,
    /// Whole seconds until a resend is allowed.
    pub resend_in: u64,
    /// How many more codes may be tried.
    pub checks_left: u8,
    /// What the caller can do next, the most likely first.
    pub next_actions: Vec<NextAction>,
}
