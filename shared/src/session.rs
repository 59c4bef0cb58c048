//! `GET /api/otp/sessions/{session_uuid}`: the session as its holder sees it.

use serde::{Deserialize, Serialize};

use crate::{Channel, SessionId};

/// Path of the sessions.
pub const PATH: &str = "/api/otp/sessions";

/// Suffix of a session's path for the stream of its changes.
pub const EVENTS: &str = "/events";

/// Path of a session.
pub fn path(session_uuid: SessionId) -> String {
    format!("{PATH}/{session_uuid}")
}

/// Status of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// A code is being delivered, or is yet to be entered.
    Pending,
    /// The right code was entered; the session is complete.
    Verified,
    /// All checks have failed; only a new session helps.
    ChecksExhausted,
}

/// What a caller can do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextAction {
    /// Check a code.
    Verify,
    /// Have the code delivered again, once `resend_in` has passed.
    Resend,
    /// Start a new session.
    Send,
    /// Enter another phone number.
    ChangeRecipient,
    /// Choose another channel.
    ChangeChannel,
    /// Retry the same request, after `retry_after` if it is given.
    Retry,
    /// Sent by a newer server; unknown to this build.
    #[serde(other)]
    Unknown,
}

/// Status of one delivery of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptStatus {
    /// Accepted for delivery.
    Queued,
    /// Handed to the carrier, or ringing.
    Sent,
    /// Received by the phone, or the call was answered.
    Delivered,
    /// It will not arrive.
    Undelivered,
    /// Sent by a newer server; unknown to this build.
    #[serde(other)]
    Unknown,
}

/// Why a delivery failed, if that helps the user: a block for suspected fraud has no
/// reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptReason {
    /// The phone is off, out of reach, or not a phone.
    Unreachable,
    /// Its country receives no deliveries over this channel.
    CountryBarred,
    /// Sent by a newer server; unknown to this build.
    #[serde(other)]
    Unknown,
}

impl AttemptReason {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::CountryBarred => "country_barred",
            Self::Unknown => "unknown",
        }
    }

    /// The reason of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Unreachable, Self::CountryBarred]
            .into_iter()
            .find(|reason| reason.as_str() == name)
    }
}

/// One delivery of the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attempt {
    /// Its channel.
    pub channel: Channel,
    /// Its status.
    pub status: AttemptStatus,
    /// Why it failed, if that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub reason: Option<AttemptReason>,
    /// When it was requested, RFC 3339 in UTC.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub requested_at: String,
}

/// The session as its holder may see it: enough to resume after a reload.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionResponse {
    /// The session's id.
    pub session_uuid: SessionId,
    /// Its status.
    pub status: SessionStatus,
    /// The number with all but its last two digits hidden.
    pub recipient: String,
    /// Channel of the last code.
    pub channel: Channel,
    /// Every delivery, oldest first.
    pub attempts: Vec<Attempt>,
    /// Number of digits of the code.
    pub otp_length: u8,
    /// When the session expires, RFC 3339 in UTC.
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
