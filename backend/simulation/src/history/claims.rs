//! A model of idempotency keys.

use std::collections::BTreeMap;

use countersign_core::{Answer, Repetition, Sealed};

/// How long a request without an answer counts as in progress.
const UNDER_WAY: u64 = 30_000;
/// Requests with another body that a key compares.
const MAX_COMPARED: u32 = 5;

#[derive(Clone, Debug)]
struct Claim {
    body: String,
    at: u64,
    until: u64,
    subject: String,
    answer: Option<Answer>,
    others: u32,
}

/// What a key says to a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    New,
    /// Another body, which counts as a check.
    Other,
    Repeated(Repetition),
}

#[derive(Default)]
pub(super) struct Claims(BTreeMap<String, Claim>);

impl Claims {
    pub(super) fn expire(&mut self, now: u64) {
        self.0.retain(|_, it| it.until > now);
    }

    pub(super) fn find(&mut self, key: &str, body: &str, now: u64) -> Found {
        self.expire(now);
        let Some(claim) = self.0.get_mut(key) else {
            return Found::New;
        };
        if claim.others == MAX_COMPARED {
            return Found::Repeated(Repetition::Reused);
        }
        if claim.body != body {
            claim.others += 1;
            return Found::Other;
        }
        let subject = Some(Sealed(claim.subject.clone().into_bytes()));
        Found::Repeated(match claim.answer.clone() {
            Some(answer) => Repetition::Answered { answer, subject },
            None if claim.at.abs_diff(now) < UNDER_WAY => Repetition::UnderWay,
            None => Repetition::Lost { subject },
        })
    }

    pub(super) fn claim(&mut self, key: &str, body: &str, subject: &str, (at, until): (u64, u64)) {
        let claim = Claim {
            body: body.to_owned(),
            at,
            until,
            subject: subject.to_owned(),
            answer: None,
            others: 0,
        };
        self.0.insert(key.to_owned(), claim);
    }

    /// The request of that moment is answered; a later one under the same key keeps its
    /// own answer.
    pub(super) fn answer(&mut self, request: &Keyed, answer: Answer, now: u64) {
        self.expire(now);
        let until = now + request.kept_for;
        if !self.0.contains_key(&request.key) {
            let claimed = (now, until);
            self.claim(&request.key, &request.body, &request.subject, claimed);
        } else if !self.is_of(request) {
            return;
        }
        let claim = self.0.get_mut(&request.key);
        // A callback may have been first.
        if let Some(claim) = claim.filter(|it| it.answer.is_none()) {
            claim.answer = Some(answer);
            claim.until = until;
        }
    }

    /// The answer of the request of that moment, if it has one.
    pub(super) fn answered(&mut self, request: &Keyed, now: u64) -> Option<Answer> {
        self.expire(now);
        let claim = self.0.get(&request.key)?;
        claim.answer.clone().filter(|_| claim.at == request.at)
    }

    /// The request of that moment is answered, whatever a callback has answered.
    pub(super) fn replace(&mut self, request: &Keyed, answer: Answer, until: u64) {
        self.adopt(request, answer);
        let claim = self.0.get_mut(&request.key);
        if let Some(claim) = claim.filter(|it| it.at == request.at) {
            claim.until = until;
        }
    }

    /// A callback answers the request of that moment.
    pub(super) fn adopt(&mut self, request: &Keyed, answer: Answer) {
        let claim = self.0.get_mut(&request.key);
        if let Some(claim) = claim.filter(|it| it.at == request.at) {
            claim.answer = Some(answer);
        }
    }

    /// The request of that moment had no effect.
    pub(super) fn free(&mut self, request: &Keyed, now: u64) {
        self.expire(now);
        if self.is_of(request) {
            self.0.remove(&request.key);
        }
    }

    pub(super) fn is_of(&self, request: &Keyed) -> bool {
        self.0
            .get(&request.key)
            .is_some_and(|it| it.at == request.at)
    }

    /// When something changes.
    pub(super) fn moments(&self) -> Vec<u64> {
        let claims = self.0.values();
        claims
            .flat_map(|it| [it.until, it.at + UNDER_WAY])
            .collect()
    }
}

/// A request under a key.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    pub(super) key: String,
    pub(super) body: String,
    pub(super) subject: String,
    pub(super) at: u64,
    pub(super) kept_for: u64,
}
