//! What callers are told about sends and about failed calls of Plivo: at once, and to a
//! repetition.

use std::collections::BTreeMap;

use countersign_core::{
    Answer, Millis, Repetition, SentAnswer, Session, UpstreamOutcome, transitions::SendReservation,
};

use crate::{
    border::opened,
    checker::Checker,
    request::{Asked, Kind, Request},
};

#[derive(Default)]
pub(crate) struct Told {
    /// How calls of Plivo failed.
    failed: BTreeMap<u64, UpstreamOutcome>,
    /// When another send like it will be accepted, as each send was told.
    next_at: BTreeMap<u64, Millis>,
    /// The request that has claimed each key.
    claimed_by: BTreeMap<String, u64>,
}

impl Told {
    pub(crate) fn failed(&mut self, request: u64, failure: UpstreamOutcome) {
        self.failed.insert(request, failure);
    }

    pub(crate) fn sent(&mut self, request: u64, reservation: &SendReservation) {
        let next_at = Millis(0).after(reservation.next_in(Millis(0)));
        self.next_at.insert(request, next_at);
    }

    pub(crate) fn failure(&self, request: u64) -> Option<UpstreamOutcome> {
        self.failed.get(&request).copied()
    }

    /// The request that has claimed a key last.
    pub(crate) fn claimant(&self, key: &str) -> Option<u64> {
        self.claimed_by.get(key).copied()
    }

    pub(crate) fn claimed(&mut self, key: &str, request: u64) {
        self.claimed_by.insert(key.to_owned(), request);
    }
}

impl Checker {
    /// A request that called Plivo in vain ends with that failure.
    pub(crate) fn failed(&mut self, request: &Request, told: UpstreamOutcome) {
        let failure = self.told.failed.get(&request.id).copied();
        // Or Plivo answered with another number's session.
        let is_other = request.created.is_some() && told == UpstreamOutcome::InvalidResponse;
        let is_right = failure.map_or(is_other, |failure| failure == told);
        let id = request.id;
        self.require(is_right, || format!("{id} is {told:?} after {failure:?}"));
    }

    /// A request that was not reserved has not called Plivo.
    pub(crate) fn not_reserved(&mut self, request: &Request) {
        let (id, is_right) = (request.id, self.reserved_at(request.id).is_none());
        self.require(is_right, || {
            format!("{id} is told that it was not reserved")
        });
    }

    /// The answer to a send or a resend.
    pub(crate) fn sent(&mut self, request: u64, asked: &Asked, seen: &Session, told: SentAnswer) {
        // A check may have been released since it was adopted.
        let is_left = told.checks_left >= seen.checks_left || self.released > 0;
        let is_same = told.expires_at == seen.expires_at && is_left;
        let at = self.reserved_at(request).unwrap_or_default();
        let may_be_adopted = self.turns.is_any_since(at);
        let is_right = is_same && self.is_answer(request, asked, told, may_be_adopted);
        // The answer of a session that was forgotten meanwhile is that of its adoption.
        let is_forgotten = self.operator.has_forgotten(asked.number);
        let is_right = is_right || is_forgotten || self.was_set;
        self.require(is_right, || {
            format!("{request} is told {told:?} of {seen:?}")
        });
    }

    /// Whether that may be the answer to the request. A send that a callback has adopted
    /// lives from its reservation on.
    fn is_answer(
        &self,
        request: u64,
        asked: &Asked,
        told: SentAnswer,
        may_be_adopted: bool,
    ) -> bool {
        let (Kind::Send(channel) | Kind::Resend(channel)) = asked.kind else {
            return false;
        };
        let Some(at) = self.reserved_at(request).map(Millis) else {
            return true;
        };
        let all = u64::from(self.rules.checks_per_session);
        let left = u64::from(told.checks_left);
        let is_first = matches!(asked.kind, Kind::Send(_));
        let ends = [told.seen_at, at].map(|at| at.after(self.rules.session_lifetime));
        let is_adopted = may_be_adopted && told.expires_at == ends[1];
        let is_ending = !is_first || is_adopted || told.expires_at == ends[0];
        // Plivo was called in between, or a callback adopted it in the same commit.
        let is_later = told.seen_at > at || may_be_adopted && told.seen_at == at;
        is_later
            && told.channel == channel
            && self.told.next_at.get(&request) == Some(&told.next_at)
            && left + self.checks_before(asked, at) <= all
            && (!is_first || left == all)
            && is_ending
    }

    /// Checks of the session that were reserved before that moment.
    fn checks_before(&self, asked: &Asked, at: Millis) -> u64 {
        let checks = self.sessions.checks_of(&asked.session);
        let before = checks.filter(|check| self.reserved_at(*check).is_some_and(|it| it < at.0));
        before.count() as u64
    }

    /// In a quiet moment: whether a key answers what its request was answered. A send that
    /// Plivo may have made although its answer was lost may have been adopted since.
    pub(crate) fn answers(&self, asked: &Asked, found: &Repetition) -> bool {
        let Repetition::Answered { answer, .. } = found else {
            return true;
        };
        let key = asked.keyed.as_ref().map(|it| it.name.as_str());
        let Some(request) = key.and_then(|key| self.told.claimed_by.get(key).copied()) else {
            return true;
        };
        let failure = self.told.failed.get(&request);
        match answer {
            Answer::Sent(told) => {
                let is_refused = matches!(
                    failure,
                    Some(UpstreamOutcome::Rejected | UpstreamOutcome::Refused)
                );
                !is_refused && self.is_answer(request, asked, *told, true)
            }
            Answer::Sealed(sealed) => {
                let text = opened(sealed);
                let is_failure = failure.is_some_and(|it| it.as_str() == text);
                let is_other = failure.is_none() && text == "invalid_response";
                is_failure || is_other || text == format!("proof{request}")
            }
            Answer::Settled(_) => failure.is_none_or(|it| *it == UpstreamOutcome::Rejected),
        }
    }
}
