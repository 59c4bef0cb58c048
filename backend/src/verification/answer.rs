//! Results of successful steps.

use std::time::{Duration, SystemTime};

use countersign_core::SentAnswer;
use countersign_shared::{Channel, PhoneNumber, SessionId};
use serde::{Deserialize, Serialize};

use super::system_time;

/// A session after a send or resend.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Session id.
    pub session_id: SessionId,
    /// Recipient.
    pub recipient: PhoneNumber,
    /// Channel.
    pub channel: Channel,
    /// Expiry.
    pub expires_at: SystemTime,
    /// Time left.
    pub expires_in: Duration,
    /// Time until a resend is admitted.
    pub resend_in: Duration,
    /// Checks left.
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

/// A verified number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verified {
    /// The number in E.164.
    pub recipient: String,
    /// The signed proof, for an application's server.
    pub proof: String,
    /// Expiry of the proof, in seconds since the Unix epoch.
    pub expires_at: u64,
}
