//! A check whose response is outstanding.
//!
//! The response to a check can be lost, and with it the proof. The server keeps it for
//! a minute under the request's idempotency key. For that long the page repeats the
//! request by itself, and trusts no other information about how the check ended. The
//! same holds after a reload.

use std::time::Duration;

use countersign_shared::{
    ErrorCode, SessionId,
    verify::{ANSWER_KEPT_FOR, VerifyResponse},
};

use super::{Failure, FailureKind, Flow, Recipient, Step, Task, Ticket, Verified};

/// Timeout after which the request is repeated while the first one may still be
/// pending.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Intervals between repetitions; the last one is used from then on.
const REPEAT_INTERVALS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// A check whose response is outstanding. Times are on the page's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The code.
    pub otp: String,
    /// Its idempotency key.
    pub key: String,
    /// When the server may drop the response.
    pub repeat_until: Duration,
    repeat_at: Duration,
    /// Number of requests made.
    asked: usize,
    /// The server has reported a timeout upstream.
    timed_out: bool,
}

impl Check {
    fn new(otp: String, key: String, now: Duration) -> Self {
        // Without an idempotency key a repetition would count as a second check.
        let kept_for = if key.is_empty() {
            Duration::ZERO
        } else {
            ANSWER_KEPT_FOR
        };
        Self {
            otp,
            key,
            repeat_until: now + kept_for,
            repeat_at: now,
            asked: 0,
            timed_out: false,
        }
    }

    /// A check stored before a reload, with the time left for its response.
    pub fn resuming(otp: String, key: String, now: Duration, left: Duration) -> Self {
        Self {
            repeat_until: now + left.min(ANSWER_KEPT_FOR),
            asked: 1,
            ..Self::new(otp, key, now)
        }
    }

    fn is_given_up(&self, now: Duration) -> bool {
        self.repeat_until <= now
    }

    /// True if it is due to be repeated or given up.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.repeat_at <= now || self.is_given_up(now)
    }

    /// Makes the repetition due now.
    pub(super) fn hurry(&mut self, now: Duration) {
        self.repeat_at = now;
    }

    fn ask(&mut self, session: SessionId, ticket: Option<Ticket>, now: Duration) -> CheckRequest {
        self.asked += 1;
        self.repeat_at = now + ANSWER_TIMEOUT;
        CheckRequest {
            session,
            otp: self.otp.clone(),
            key: self.key.clone(),
            ticket,
        }
    }

    /// Whether the check's outcome is still unknown after this failure. If so it is
    /// repeated.
    fn stays_open(&mut self, failure: &Failure, now: Duration) -> bool {
        let stays_open = match failure.kind {
            FailureKind::Offline | FailureKind::ServerUnreachable => true,
            FailureKind::Refused(ErrorCode::RequestUnderWay) => {
                // The response is kept from the moment the first request ends.
                self.repeat_until = now + ANSWER_KEPT_FOR;
                true
            }
            // The first timeout leaves the check running on the server; after a second
            // one its outcome stays unknown.
            FailureKind::Refused(ErrorCode::UpstreamTimeout) => {
                !std::mem::replace(&mut self.timed_out, true)
            }
            // The repetition itself may have been refused.
            FailureKind::Refused(
                ErrorCode::RateLimited
                | ErrorCode::TemporarilyUnavailable
                | ErrorCode::RequestTimeout
                | ErrorCode::InternalError,
            ) => self.asked > 1,
            _ => false,
        };
        if stays_open {
            let last = REPEAT_INTERVALS.len() - 1;
            let interval = REPEAT_INTERVALS[self.asked.saturating_sub(1).min(last)];
            let retry_after = Duration::from_secs(failure.retry_after.unwrap_or_default());
            self.repeat_at = now + interval.max(retry_after);
        }
        stays_open
    }
}

/// A request for a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRequest {
    /// Session id.
    pub session: SessionId,
    /// The code.
    pub otp: String,
    /// The idempotency key.
    pub key: String,
    /// The user's task; none if the page repeats the request by itself.
    pub ticket: Option<Ticket>,
}

/// The effect of a response to a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// None: the user has moved on, or the outcome was known already.
    Ignored,
    /// The code was right.
    Verified,
    /// No response; the page repeats the request.
    Open,
    /// The code was wrong.
    Incorrect,
    /// Refused for another reason.
    Refused,
}

/// A background action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Background {
    /// Repeat a check.
    Repeat(CheckRequest),
    /// Fetch the session: the response to the check can no longer be had.
    FetchSession,
}

impl Flow {
    /// The check whose response is outstanding.
    pub fn check(&self) -> Option<&Check> {
        self.session()?.check.as_ref()
    }

    /// Begins a check, unless a task is pending. An outstanding check goes first,
    /// whatever was typed since, because its code may have been the right one.
    pub fn begin_check(&mut self, otp: &str, key: String, now: Duration) -> Option<CheckRequest> {
        self.session()?;
        let ticket = self.begin(Task::Verify)?;
        let Step::EnterCode(session) = &mut self.step else {
            return None;
        };
        if session.check.as_ref().is_some_and(|it| it.is_given_up(now)) {
            session.check = None;
        }
        let check = session
            .check
            .get_or_insert_with(|| Check::new(otp.to_owned(), key, now));
        Some(check.ask(session.id, Some(ticket), now))
    }

    /// The due background action of an outstanding check.
    pub(super) fn background(&mut self, now: Duration) -> Option<Background> {
        let Step::EnterCode(session) = &mut self.step else {
            return None;
        };
        let check = session.check.as_mut()?;
        if check.is_given_up(now) {
            session.check = None;
            return Some(Background::FetchSession);
        }
        let is_due = check.is_due(now);
        is_due.then(|| Background::Repeat(check.ask(session.id, None, now)))
    }

    /// Makes the repetition of an outstanding check due now: the network may be back,
    /// or the session has ended otherwise. False if there is none.
    pub fn hurry(&mut self, now: Duration) -> bool {
        let Step::EnterCode(session) = &mut self.step else {
            return false;
        };
        let check = session.check.as_mut();
        check.map(|check| check.hurry(now)).is_some()
    }

    /// Applies the response to a check, or its absence.
    pub fn checked(
        &mut self,
        request: &CheckRequest,
        answer: &Result<VerifyResponse, Failure>,
        now: Duration,
    ) -> Checked {
        let is_asked_for = request.ticket.is_some() && self.pending == request.ticket;
        let Step::EnterCode(session) = &mut self.step else {
            return Checked::Ignored;
        };
        if session.id != request.session {
            return Checked::Ignored;
        }
        let failure = match answer {
            Ok(answer) => {
                self.step = Step::Verified(Verified {
                    recipient: Recipient::read(&answer.recipient),
                    proof: answer.proof.clone(),
                });
                self.pending = None;
                self.failure = None;
                return Checked::Verified;
            }
            Err(failure) => failure,
        };
        let check = session.check.as_mut().filter(|it| it.key == request.key);
        let stays_open = match check {
            Some(check) => check.stays_open(failure, now),
            // It was given up, or settled by another response.
            None if !is_asked_for => return Checked::Ignored,
            None => false,
        };
        if stays_open {
            if is_asked_for {
                self.pending = None;
            }
            let is_unheard = matches!(
                failure.kind,
                FailureKind::Offline | FailureKind::ServerUnreachable
            );
            if is_unheard && self.pending.is_none() {
                // Shown once, not at each repetition.
                self.failure.get_or_insert(*failure);
            }
            return Checked::Open;
        }
        session.check = None;
        // A later response to the same check is ignored.
        self.pending = self.pending.filter(|it| it.task != Task::Verify);
        self.failure = Some(session.failed(*failure));
        match failure.kind {
            FailureKind::Refused(ErrorCode::OtpIncorrect) => Checked::Incorrect,
            _ => Checked::Refused,
        }
    }
}

#[cfg(test)]
mod tests;
