//! Plivo as documented: one session per number while its code lives, ten validations,
//! each code used once. What it really did, whatever it answered, is the truth for the
//! checker.

use std::time::Duration;

use countersign_core::Verdict;
use countersign_shared::Channel;

/// Lifetime of a code.
const LIFETIME: Duration = Duration::from_mins(10);
/// Maximum validations of one session.
const MAX_VALIDATIONS: u32 = 10;

pub(crate) struct Attempt {
    pub(crate) channel: Channel,
}

pub(crate) struct PlivoSession {
    pub(crate) id: String,
    pub(crate) number: usize,
    pub(crate) code: u64,
    pub(crate) is_verified: bool,
    created_at: Duration,
    validations: u32,
    pub(crate) attempts: Vec<Attempt>,
}

impl PlivoSession {
    /// Whether its code has expired or was used.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        self.is_verified || self.created_at + LIFETIME <= now
    }
}

#[derive(Default)]
pub(crate) struct Plivo {
    pub(crate) sessions: Vec<PlivoSession>,
}

impl Plivo {
    /// Sends a code. Returns the session and the index of the attempt.
    pub(crate) fn create(
        &mut self,
        number: usize,
        channel: Channel,
        now: Duration,
    ) -> (usize, usize) {
        let is_live = |it: &PlivoSession| it.number == number && !it.is_over(now);
        let live = self.sessions.iter().rposition(is_live);
        let index = live.unwrap_or_else(|| {
            let index = self.sessions.len();
            self.sessions.push(PlivoSession {
                id: format!("plivo{index}"),
                number,
                code: 100_000 + index as u64,
                is_verified: false,
                created_at: now,
                validations: 0,
                attempts: Vec::new(),
            });
            index
        });
        let session = &mut self.sessions[index];
        session.attempts.push(Attempt { channel });
        (index, session.attempts.len() - 1)
    }

    pub(crate) fn find(&self, id: &str) -> Option<&PlivoSession> {
        self.sessions.iter().find(|it| it.id == id)
    }

    /// Checks a code.
    pub(crate) fn validate(&mut self, id: &str, code: u64, now: Duration) -> Verdict {
        let session = self.sessions.iter_mut().find(|it| it.id == id);
        let Some(session) = session else {
            return Verdict::CodeUsed;
        };
        if session.is_over(now) || session.validations == MAX_VALIDATIONS {
            return Verdict::CodeUsed;
        }
        session.validations += 1;
        if session.code == code {
            session.is_verified = true;
            Verdict::Accepted
        } else {
            Verdict::Incorrect
        }
    }

    /// The last code sent to a number.
    pub(crate) fn last_code(&self, number: usize) -> Option<u64> {
        let mut sessions = self.sessions.iter().rev();
        sessions.find(|it| it.number == number).map(|it| it.code)
    }
}
