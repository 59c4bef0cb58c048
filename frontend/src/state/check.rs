//! A check whose answer is outstanding.
//!
//! The answer to a check can be lost on its way, and with it the proof. The server
//! keeps it for a minute, for the same request under the same idempotency key: so
//! long the page repeats the request by itself, and believes no other word on how
//! the check ended. What is decided here holds for every page, also after a reload.

use std::time::Duration;

use countersign_shared::{
    ErrorCode, SessionId,
    verify::{ANSWER_KEPT_FOR, VerifyResponse},
};

use super::{Failure, FailureKind, Flow, Recipient, Step, Task, Ticket, Verified};

/// How long an answer may take before the request is repeated beside it: what is
/// lost without a trace looks the same.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The pauses between repetitions; the last one recurs.
const REPEAT_INTERVALS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// A check whose answer is outstanding. Times are the page's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The code.
    pub otp: String,
    /// The idempotency key that it goes under.
    pub key: String,
    /// Until when the server surely keeps the answer.
    pub repeat_until: Duration,
    repeat_at: Duration,
    /// How many times it was asked.
    asked: usize,
    /// The server itself has waited too long for the end.
    timed_out: bool,
}

impl Check {
    fn new(otp: String, key: String, now: Duration) -> Self {
        // Without a key a repetition would be a second check.
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

    /// One from before a reload, for whose answer there is still that much time.
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

    /// True when it is time to repeat it, or to give it up.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.repeat_at <= now || self.is_given_up(now)
    }

    /// Repeats it at once.
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

    /// Whether this failure leaves open how the check ended. Then it is asked again.
    fn stays_open(&mut self, failure: &Failure, now: Duration) -> bool {
        let stays_open = match failure.kind {
            FailureKind::Offline | FailureKind::ServerUnreachable => true,
            FailureKind::Refused(ErrorCode::RequestUnderWay) => {
                // It ends later, and is kept from then on.
                self.repeat_until = now + ANSWER_KEPT_FOR;
                true
            }
            // The check goes on without its caller; whoever is told so a second time
            // is told that nobody knows.
            FailureKind::Refused(ErrorCode::UpstreamTimeout) => {
                !std::mem::replace(&mut self.timed_out, true)
            }
            // A repetition can be refused for itself.
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
            let told = Duration::from_secs(failure.retry_after.unwrap_or_default());
            self.repeat_at = now + interval.max(told);
        }
        stays_open
    }
}

/// A check to ask the server for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRequest {
    /// Of which session.
    pub session: SessionId,
    /// The code.
    pub otp: String,
    /// The idempotency key.
    pub key: String,
    /// The person's task; none where the page repeats it by itself.
    pub ticket: Option<Ticket>,
}

/// What the answer to a check has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Nothing: the person has gone elsewhere, or it was known already.
    Ignored,
    /// The code was right.
    Verified,
    /// No answer came; the page repeats it by itself.
    Open,
    /// The code was wrong.
    Incorrect,
    /// It was refused for another reason.
    Refused,
}

/// What the page does by itself, unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Background {
    /// Repeats a check.
    Repeat(CheckRequest),
    /// Looks how the session stands: the answer to a check cannot be had any more.
    Look,
}

impl Flow {
    /// The check whose answer is outstanding.
    pub fn check(&self) -> Option<&Check> {
        self.session()?.check.as_ref()
    }

    /// Starts to check a code, unless something is under way. A check whose answer is
    /// outstanding comes first, whatever was typed since: it may have been the right
    /// one.
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

    /// What is due of an outstanding check.
    pub(super) fn background(&mut self, now: Duration) -> Option<Background> {
        let Step::EnterCode(session) = &mut self.step else {
            return None;
        };
        let check = session.check.as_mut()?;
        if check.is_given_up(now) {
            session.check = None;
            return Some(Background::Look);
        }
        let is_due = check.is_due(now);
        is_due.then(|| Background::Repeat(check.ask(session.id, None, now)))
    }

    /// Repeats an outstanding check at once: the network may be back, or something
    /// else has said that the session is over. False where there is none.
    pub fn hurry(&mut self, now: Duration) -> bool {
        let Step::EnterCode(session) = &mut self.step else {
            return false;
        };
        let check = session.check.as_mut();
        check.map(|check| check.hurry(now)).is_some()
    }

    /// The server answered a check, or no answer came.
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
            // It was given up, or settled by its other answer.
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
                // Told once, not with every repetition.
                self.failure.get_or_insert(*failure);
            }
            return Checked::Open;
        }
        session.check = None;
        // The other answer to the same check is of no more interest.
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
