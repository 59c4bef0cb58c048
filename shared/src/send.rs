//! `POST /api/otp/send`: a new session and its first code.

use serde::{Deserialize, Serialize};

use crate::{Channel, EndUser, Locale, Purpose, SessionId, session::NextAction};

/// Path of the request.
pub const PATH: &str = "/api/otp/send";

/// Whether a text can be a nonce: 1 to 255 visible ASCII characters.
pub fn is_nonce(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Requests a code.
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
    /// Channel of the code; `sms` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Language of the message, a BCP 47 tag: the nearest supported one is used, or else
    /// the server's default.
    #[serde(
        default,
        deserialize_with = "crate::locale::wish",
        skip_serializing_if = "Option::is_none"
    )]
    pub locale: Option<Locale>,
    /// A nonce of the application's, which the proof repeats: 1 to 255 visible ASCII
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "validator",
        validate(custom(function = "crate::problem::check::nonce"))
    )]
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::nonce, required = false))]
    pub nonce: Option<String>,
    /// The purpose of the verification; the proof repeats it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// Id of the application; with a key the key's own, without one the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(examples("shop")))]
    pub application: Option<String>,
    /// Sends nothing yet, and returns the URL of a hosted page for this number, on which
    /// the user requests the code. Requires a key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub page: bool,
    /// URL that the page leads back to: one of the application's return addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<String>,
    /// Instead of `return_to`: the origin of the page that embeds it in an iframe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embed: Option<String>,
    /// An opaque string, returned with the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The user on whose behalf an application's server calls; only with its key.
    #[serde(
        default,
        deserialize_with = "crate::end_user::from_object",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_user: Option<EndUser>,
}

/// The session that a code was sent for: the answer to send and resend.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SendResponse {
    /// The session's id. Whoever holds it may check the code.
    pub session_uuid: SessionId,
    /// The number the code went to, in E.164.
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::e164))]
    pub recipient: String,
    /// Channel of this code.
    pub channel: Channel,
    /// Number of digits of the code.
    pub otp_length: u8,
    /// When the session expires, RFC 3339 in UTC. A resend does not extend it.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: String,
    /// Whole seconds until then.
    pub expires_in: u64,
    /// Whole seconds until a resend is allowed.
    pub resend_in: u64,
    /// How many more checks are allowed.
    pub checks_left: u8,
    /// What the caller can do next, the most likely first.
    pub next_actions: Vec<NextAction>,
}
