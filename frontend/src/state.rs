//! The three steps and how one leads to another. Pure: no browser, no network,
//! no clock but the one handed in.

mod check;
mod clock;
mod code_entry;
mod countdown;
mod digits;
mod failure;
mod phone_entry;
mod session;
mod task;

use std::time::Duration;

use countersign_shared::{
    ErrorCode, SessionId,
    send::SendResponse,
    session::{SessionResponse, SessionStatus},
};

pub use check::{Background, Check, CheckRequest, Checked};
pub use clock::{Clock, Wake};
pub use code_entry::{USUAL_LENGTH, read as read_code, tidy as tidy_code};
pub use countdown::Deadline;
pub use failure::{Failure, FailureKind};
pub use phone_entry::{
    country_of, format as format_phone, guess as guess_country, names_country, preview,
    read as read_phone, with_country,
};
pub use session::{Delivery, Ending, Recipient, Session};
pub use task::{Task, Ticket};

/// Where the person stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A phone number is to be typed.
    EnterPhone,
    /// A code was sent and is to be typed.
    EnterCode(Session),
    /// Done.
    Verified(Verified),
}

/// A number that is verified. There is none without its proof: a page that only
/// hears that the session is verified has nothing for its application.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The number.
    pub recipient: Recipient,
    /// What shows it to an application.
    pub proof: String,
}

/// Which step it is, whatever is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepName {
    /// The first.
    EnterPhone,
    /// The second.
    EnterCode,
    /// The last.
    Verified,
}

impl Step {
    /// Which step it is.
    pub const fn name(&self) -> StepName {
        match self {
            Self::EnterPhone => StepName::EnterPhone,
            Self::EnterCode(_) => StepName::EnterCode,
            Self::Verified(_) => StepName::Verified,
        }
    }
}

impl StepName {
    /// The name on the page's mount point.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EnterPhone => "enter-phone",
            Self::EnterCode => "enter-code",
            Self::Verified => "verified",
        }
    }
}

/// The whole state that the page's looks follow from.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Where the person stands.
    pub step: Step,
    /// What is under way.
    pub pending: Option<Ticket>,
    /// What went wrong last.
    pub failure: Option<Failure>,
    tickets: u32,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            step: Step::EnterPhone,
            pending: None,
            failure: None,
            tickets: 0,
        }
    }
}

impl Flow {
    /// A session from before a reload, of which only the name and the masked
    /// number are known until the server answers; and the check whose answer was
    /// outstanding.
    pub fn resuming(id: SessionId, masked: String, check: Option<Check>) -> Self {
        Self {
            step: Step::EnterCode(Session::resuming(id, masked, check)),
            ..Self::default()
        }
    }

    /// The session, in the step that has one.
    pub fn session(&self) -> Option<&Session> {
        match &self.step {
            Step::EnterCode(session) => Some(session),
            Step::EnterPhone | Step::Verified(_) => None,
        }
    }

    /// True while the person waits for an answer. Resuming goes on in the
    /// background and gives way.
    pub fn is_busy(&self) -> bool {
        self.pending
            .is_some_and(|ticket| ticket.task != Task::Resume)
    }

    /// Starts a task unless one is under way: however often a button is
    /// pressed, one request goes out.
    pub fn begin(&mut self, task: Task) -> Option<Ticket> {
        if self.is_busy() {
            return None;
        }
        self.tickets += 1;
        let ticket = Ticket {
            task,
            number: self.tickets,
        };
        self.pending = Some(ticket);
        self.failure = None;
        Some(ticket)
    }

    /// How many tasks have begun.
    pub const fn tickets(&self) -> u32 {
        self.tickets
    }

    /// Ends a task. False when its answer no longer matters, because the person
    /// has gone elsewhere.
    fn settle(&mut self, ticket: Ticket) -> bool {
        let is_current = self.pending == Some(ticket);
        if is_current {
            self.pending = None;
        }
        is_current
    }

    /// The page's set-up arrived.
    pub fn configured(&mut self, ticket: Ticket) {
        self.settle(ticket);
    }

    /// A code is on its way, for a new session or once more. True when the
    /// answer counted.
    pub fn sent(&mut self, ticket: Ticket, answer: &SendResponse, now: Duration) -> bool {
        let counts = self.settle(ticket);
        if counts {
            let before = self.session().filter(|it| it.id == answer.session_uuid);
            let before = before.map(|it| (it.attempts.clone(), it.check.clone()));
            let (attempts, check) = before.unwrap_or_default();
            self.step = Step::EnterCode(Session::from_send(answer, attempts, check, now));
        }
        counts
    }

    /// How the session stands, after a reload or a while in the background.
    pub fn resumed(&mut self, ticket: Ticket, answer: &SessionResponse, now: Duration) {
        if self.settle(ticket) {
            self.follow(answer, now);
        }
    }

    /// Takes over how the session stands, as far as it is still the one shown.
    pub fn follow(&mut self, answer: &SessionResponse, now: Duration) {
        let Step::EnterCode(session) = &mut self.step else {
            return;
        };
        if session.id != answer.session_uuid {
            return;
        }
        session.follow(answer, now);
        let (ending, code) = match answer.status {
            SessionStatus::Pending => return,
            SessionStatus::Verified => (Ending::AlreadyVerified, ErrorCode::SessionAlreadyVerified),
            SessionStatus::ChecksExhausted => (Ending::ChecksExhausted, ErrorCode::ChecksExhausted),
        };
        // It may be the check whose answer is outstanding that has ended it.
        if let Some(check) = &mut session.check {
            check.hurry(now);
            return;
        }
        session.ending = Some(ending);
        self.failure = Some(FailureKind::Refused(code).into());
    }

    /// The task failed; a check fails by [`Flow::checked`]. True when that counted.
    pub fn failed(&mut self, ticket: Ticket, failure: Failure, now: Duration) -> bool {
        let counts = self.settle(ticket);
        if counts {
            // As above.
            if failure.ends_session() && self.hurry(now) {
                return true;
            }
            self.failure = Some(match &mut self.step {
                Step::EnterCode(session) => {
                    if let (Task::Resend, Some(seconds)) = (ticket.task, failure.retry_after) {
                        session.wait(seconds, now);
                    }
                    session.failed(failure)
                }
                Step::EnterPhone | Step::Verified(_) => failure,
            });
            let is_gone = matches!(
                failure.kind,
                FailureKind::Refused(ErrorCode::SessionNotFound | ErrorCode::SessionExpired)
            );
            if ticket.task == Task::Resume && is_gone {
                self.step = Step::EnterPhone;
            }
        }
        counts
    }

    /// What was typed cannot be sent.
    pub fn refuse(&mut self, kind: FailureKind) {
        self.failure = Some(kind.into());
    }

    /// Time has passed: a session may have ended. Answers what the page is to do by
    /// itself.
    pub fn tick(&mut self, now: Duration) -> Option<Background> {
        if !self.is_due(now) {
            return None;
        }
        let background = self.background(now);
        if background.is_none()
            && let Step::EnterCode(session) = &mut self.step
        {
            session.ending = Some(Ending::Expired);
            self.failure = Some(FailureKind::Refused(ErrorCode::SessionExpired).into());
        }
        background
    }

    /// True when [`Flow::tick`] would change something.
    pub fn is_due(&self, now: Duration) -> bool {
        self.session().is_some_and(|session| match &session.check {
            // An answer that is outstanding comes also when the session is over.
            Some(check) => check.is_due(now),
            None => session.ending.is_none() && session.expires.is_some_and(|it| it.is_over(now)),
        })
    }

    /// Back to the first step. What is under way no longer matters.
    pub fn start_over(&mut self) {
        self.step = Step::EnterPhone;
        self.pending = None;
        self.failure = None;
    }
}

#[cfg(test)]
mod tests;
