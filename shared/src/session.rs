//! `GET /api/otp/sessions/{session_uuid}`: the session as its holder sees it.

use serde::{Deserialize, Serialize};

use crate::{Channel, SessionId};

/// The collection a session's path begins with.
pub const PATH: &str = "/api/otp/sessions";

/// What follows a session's path where its changes are read as they come.
pub const EVENTS: &str = "/events";

/// Where a session is read.
pub fn path(session_uuid: SessionId) -> String {
    format!("{PATH}/{session_uuid}")
}

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// A code is on its way or waits to be typed.
    Pending,
    /// The right code was given; the session is done.
    Verified,
    /// All checks were wrong; only a new session helps.
    ChecksExhausted,
}

/// What a caller can do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextAction {
    /// Try a code.
    Verify,
    /// Have the code delivered once more, once `resend_in` has passed.
    Resend,
    /// Start a new session.
    Send,
    /// Give another phone number.
    ChangeRecipient,
    /// Choose another channel.
    ChangeChannel,
    /// Try the same again, after `retry_after` where it is given.
    Retry,
    /// From a newer server: nothing this build knows.
    #[serde(other)]
    Unknown,
}

/// How far one delivery of the code has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptStatus {
    /// Accepted for delivery.
    Queued,
    /// Handed to the carrier, or ringing.
    Sent,
    /// On the phone, or answered.
    Delivered,
    /// It will not arrive.
    Undelivered,
    /// From a newer server: nothing this build knows.
    #[serde(other)]
    Unknown,
}

/// Why a delivery did not arrive, where that helps: a block for suspected fraud
/// has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptReason {
    /// The phone is off, out of reach, or no phone.
    Unreachable,
    /// Nothing is delivered to its country this way.
    CountryBarred,
    /// From a newer server: nothing this build knows.
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
    /// How it travels.
    pub channel: Channel,
    /// How far it has come.
    pub status: AttemptStatus,
    /// Why it did not arrive, where that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub reason: Option<AttemptReason>,
    /// When it was asked for, RFC 3339 in UTC.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub requested_at: String,
}

/// The session as its holder may see it: enough to go on after a reload.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionResponse {
    /// The session's name.
    pub session_uuid: SessionId,
    /// How it stands.
    pub status: SessionStatus,
    /// The number with all but its last two digits hidden.
    pub recipient: String,
    /// How the last code travels.
    pub channel: Channel,
    /// Every delivery, oldest first.
    pub attempts: Vec<Attempt>,
    /// How many digits the code has.
    pub otp_length: u8,
    /// When the session ends, RFC 3339 in UTC.
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
