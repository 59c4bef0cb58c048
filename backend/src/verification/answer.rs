//! What a caller gets of a step that was taken.

use std::time::{Duration, SystemTime};

use countersign_core::SentAnswer;
use countersign_shared::{Channel, PhoneNumber, SessionId};
use serde::{Deserialize, Serialize};

use super::system_time;

/// A session that a code was sent for, first or again.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its name.
    pub session_id: SessionId,
    /// Where the code went.
    pub recipient: PhoneNumber,
    /// How it went.
    pub channel: Channel,
    /// When the session ends.
    pub expires_at: SystemTime,
    /// How long until then.
    pub expires_in: Duration,
    /// How long until a resend passes.
    pub resend_in: Duration,
    /// Codes that may still be tried.
    pub checks_left: u8,
}

impl Sent {
    pub(super) fn new(session_id: SessionId, recipient: PhoneNumber, answer: SentAnswer) -> Self {
        Self {
            session_id,
            recipient,
            channel: answer.channel,
            expires_at: system_time(answer.expires_at),
            expires_in: answer.expires_in(),
            resend_in: answer.resend_in(),
            checks_left: answer.checks_left,
        }
    }
}

/// A number that is verified.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verified {
    /// Which, in E.164.
    pub recipient: String,
    /// The signed proof, for an application's server.
    pub proof: String,
    /// Until when the proof holds, in seconds since the Unix epoch.
    pub expires_at: u64,
}
