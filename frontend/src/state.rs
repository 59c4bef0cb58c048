//! The page's state machine: three steps and their transitions. Pure: no browser, no
//! network, no clock but the time that is passed in.

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

/// The current step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The user enters a phone number.
    EnterPhone,
    /// A code was sent; the user enters it.
    EnterCode(Session),
    /// The number is verified.
    Verified(Verified),
}

/// A verified number. It always has its proof: a page that only learns that the session
/// is verified has nothing to give to its application.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The number.
    pub recipient: Recipient,
    /// The proof, for the application.
    pub proof: String,
}

/// A step without its data.
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
    /// The step's name.
    pub const fn name(&self) -> StepName {
        match self {
            Self::EnterPhone => StepName::EnterPhone,
            Self::EnterCode(_) => StepName::EnterCode,
            Self::Verified(_) => StepName::Verified,
        }
    }
}

impl StepName {
    /// Name in the `data-step` attribute of the mount point.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EnterPhone => "enter-phone",
            Self::EnterCode => "enter-code",
            Self::Verified => "verified",
        }
    }
}

/// The state that the views are derived from.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The current step.
    pub step: Step,
    /// The pending task.
    pub pending: Option<Ticket>,
    /// The last failure.
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
    /// A session stored before a reload. Until the server answers, only its id, the
    /// masked number and an outstanding check are known.
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

    /// True while the user waits for a response. Resuming happens in the background and
    /// does not block.
    pub fn is_busy(&self) -> bool {
        self.pending
            .is_some_and(|ticket| ticket.task != Task::Resume)
    }

    /// Begins a task unless one is pending, so that pressing a button repeatedly makes
    /// one request.
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

    /// The number of tasks begun.
    pub const fn tickets(&self) -> u32 {
        self.tickets
    }

    /// Ends a task. False if its response is obsolete because the user has moved on.
    fn settle(&mut self, ticket: Ticket) -> bool {
        let is_current = self.pending == Some(ticket);
        if is_current {
            self.pending = None;
        }
        is_current
    }

    /// The configuration arrived.
    pub fn configured(&mut self, ticket: Ticket) {
        self.settle(ticket);
    }

    /// A code was sent, for a new session or as a resend. True if the response was
    /// current.
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

    /// The session was fetched, after a reload or in the background.
    pub fn resumed(&mut self, ticket: Ticket, answer: &SessionResponse, now: Duration) {
        if self.settle(ticket) {
            self.follow(answer, now);
        }
    }

    /// Applies a fetched session if it is still the current one.
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
        // The outstanding check itself may have ended the session: repeat it at once,
        // for its response.
        if let Some(check) = &mut session.check {
            check.hurry(now);
            return;
        }
        session.ending = Some(ending);
        self.failure = Some(FailureKind::Refused(code).into());
    }

    /// A task failed, other than a check ([`Flow::checked`]). True if the response was
    /// current.
    pub fn failed(&mut self, ticket: Ticket, failure: Failure, now: Duration) -> bool {
        let counts = self.settle(ticket);
        if counts {
            // The outstanding check itself may have ended the session.
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

    /// The input is invalid.
    pub fn refuse(&mut self, kind: FailureKind) {
        self.failure = Some(kind.into());
    }

    /// Advances the clock, which may expire the session. Returns what the page does in
    /// the background.
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
            // The response to a check may still arrive after the session has expired.
            Some(check) => check.is_due(now),
            None => session.ending.is_none() && session.expires.is_some_and(|it| it.is_over(now)),
        })
    }

    /// Returns to the first step and abandons the pending task.
    pub fn start_over(&mut self) {
        self.step = Step::EnterPhone;
        self.pending = None;
        self.failure = None;
    }
}

#[cfg(test)]
mod tests;
