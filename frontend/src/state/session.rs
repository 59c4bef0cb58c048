//! A session, as far as the page knows it.

use std::time::Duration;

use countersign_shared::{
    Channel, ErrorCode, PhoneNumber, SessionId,
    send::SendResponse,
    session::{AttemptReason, AttemptStatus, SessionResponse},
};

use super::{Check, Deadline, Failure, FailureKind};

/// Who the code was sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The number, typed on this visit.
    Known(PhoneNumber),
    /// The masked number: all that is left after a reload.
    Masked(String),
}

impl Recipient {
    /// Parses the recipient in a response; a masked one is kept as text.
    pub(super) fn read(text: &str) -> Self {
        match PhoneNumber::parse(text) {
            Ok(number) => Self::Known(number),
            Err(_) => Self::Masked(text.to_owned()),
        }
    }

    /// The masked form, which may be stored in the browser.
    pub fn masked(&self) -> String {
        match self {
            Self::Known(number) => number.masked(),
            Self::Masked(masked) => masked.clone(),
        }
    }

    /// True if a message to that number may be for this recipient. A masked recipient
    /// may match several numbers.
    pub fn may_be(&self, number: &str) -> bool {
        PhoneNumber::parse(number).is_ok_and(|number| match self {
            Self::Known(known) => *known == number,
            Self::Masked(masked) => *masked == number.masked(),
        })
    }
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It expired, or the server does not know it any more.
    Expired,
    /// Too many wrong codes.
    ChecksExhausted,
    /// It is verified already.
    AlreadyVerified,
}

/// One delivery of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Channel.
    pub channel: Channel,
    /// Delivery status.
    pub status: AttemptStatus,
    /// Reason for a failed delivery, if the server gives one.
    pub reason: Option<AttemptReason>,
}

/// A session, as far as the page knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Session id.
    pub id: SessionId,
    /// Who the code was sent to.
    pub recipient: Recipient,
    /// Channel of the last delivery; unknown until the server has answered.
    pub channel: Option<Channel>,
    /// All known deliveries, oldest first.
    pub attempts: Vec<Delivery>,
    /// Number of digits in the code; unknown until the server has answered.
    pub otp_length: Option<u8>,
    /// Expiry.
    pub expires: Option<Deadline>,
    /// When a resend is allowed.
    pub resend: Option<Deadline>,
    /// Number of checks left.
    pub checks_left: Option<u8>,
    /// The check whose response is outstanding.
    pub check: Option<Check>,
    /// Why it has ended, once it has.
    pub ending: Option<Ending>,
}

impl Session {
    pub(super) fn resuming(id: SessionId, masked: String, check: Option<Check>) -> Self {
        Self {
            id,
            recipient: Recipient::Masked(masked),
            channel: None,
            attempts: Vec::new(),
            otp_length: None,
            expires: None,
            resend: None,
            checks_left: None,
            check,
            ending: None,
        }
    }

    /// The session of a sent code, with its earlier deliveries and outstanding check.
    pub(super) fn from_send(
        answer: &SendResponse,
        mut attempts: Vec<Delivery>,
        check: Option<Check>,
        now: Duration,
    ) -> Self {
        attempts.push(Delivery {
            channel: answer.channel,
            status: AttemptStatus::Queued,
            reason: None,
        });
        Self {
            id: answer.session_uuid,
            recipient: Recipient::read(&answer.recipient),
            channel: Some(answer.channel),
            attempts,
            otp_length: Some(answer.otp_length),
            expires: Some(Deadline::after(now, answer.expires_in)),
            resend: Some(Deadline::after(now, answer.resend_in)),
            checks_left: Some(answer.checks_left),
            check,
            ending: None,
        }
    }

    pub(super) fn follow(&mut self, answer: &SessionResponse, now: Duration) {
        self.channel = Some(answer.channel);
        let attempts = answer.attempts.iter().map(|attempt| Delivery {
            channel: attempt.channel,
            status: attempt.status,
            reason: attempt.reason,
        });
        self.attempts = attempts.collect();
        self.otp_length = Some(answer.otp_length);
        self.expires = Some(Deadline::after(now, answer.expires_in).or_near(self.expires));
        let is_open = self.resend.is_some_and(|resend| resend.is_over(now));
        // An open resend stays open: a deadline of right now would be ahead of the time
        // that is shown, and the countdown would begin once more.
        if answer.resend_in > 0 || !is_open {
            self.resend = Some(Deadline::after(now, answer.resend_in).or_near(self.resend));
        }
        self.checks_left = Some(answer.checks_left);
    }

    /// Applies a failure to the session, and returns the failure to show.
    pub(super) fn failed(&mut self, failure: Failure) -> Failure {
        let mut shown = failure;
        if failure.checks_left.is_some() {
            self.checks_left = failure.checks_left;
        }
        match failure.kind {
            FailureKind::Refused(ErrorCode::OtpIncorrect) if failure.checks_left == Some(0) => {
                self.ending = Some(Ending::ChecksExhausted);
                shown.kind = FailureKind::Refused(ErrorCode::ChecksExhausted);
            }
            FailureKind::Refused(ErrorCode::ChecksExhausted) => {
                self.ending = Some(Ending::ChecksExhausted);
            }
            FailureKind::Refused(ErrorCode::SessionNotFound | ErrorCode::SessionExpired) => {
                self.ending = Some(Ending::Expired);
            }
            FailureKind::Refused(ErrorCode::SessionAlreadyVerified) => {
                self.ending = Some(Ending::AlreadyVerified);
            }
            _ => {}
        }
        shown
    }

    /// Status of the last delivery.
    pub fn delivery(&self) -> Option<AttemptStatus> {
        self.attempts.last().map(|attempt| attempt.status)
    }

    /// A resend was refused: sets when the next one is allowed.
    pub(super) fn wait(&mut self, seconds: u64, now: Duration) {
        self.resend = Some(Deadline::after(now, seconds));
    }

    /// Whole seconds until a resend is allowed; none if unknown.
    pub fn resend_in(&self, now: Duration) -> Option<u64> {
        self.resend.map(|resend| resend.seconds_left(now))
    }

    /// Whole seconds until a resend by this channel is allowed: if the last delivery
    /// failed, another channel needs no wait.
    pub fn resend_by_in(&self, channel: Channel, now: Duration) -> Option<u64> {
        let failed = self.delivery() == Some(AttemptStatus::Undelivered);
        if failed && self.channel != Some(channel) {
            return Some(0);
        }
        self.resend_in(now)
    }

    /// Whole seconds until the session expires; none if unknown.
    pub fn expires_in(&self, now: Duration) -> Option<u64> {
        self.expires.map(|expires| expires.seconds_left(now))
    }
}
