//! Invariants of settled checks, and of the numbers that they make known.

use std::time::Duration;

use countersign_core::{Millis, SessionOver, Settlement, Verdict};

use crate::{
    checker::Checker,
    request::{Asked, Request},
};

/// How long after Plivo's answer a check is settled, at most.
const SETTLED_WITHIN: Duration = Duration::from_secs(3);

impl Checker {
    pub(crate) fn settles(&mut self, request: &Request, verdict: Verdict, now: Millis) {
        let asked = request.asked.as_ref();
        let checks = asked.and_then(|it| self.checks_asked.get(&it.session));
        let checks = checks.copied().unwrap_or_default();
        self.settling.insert(request.id, (verdict, checks));
        if verdict == Verdict::Accepted {
            self.wrong.remove(request.id);
            self.accepted_at.insert(request.id, now.0);
            if let Some(asked) = request.asked.clone() {
                self.verified_at.insert(asked.number, now);
                let accepted = self.accepted.entry(asked.session.clone());
                accepted.or_default().push((request.id, asked));
            }
        }
    }

    /// A check was settled: an accepted one verifies, unless its session or its code has
    /// been used, and a wrong one leaves as many as are left.
    pub(crate) fn settlement(&mut self, request: u64, asked: &Asked, settlement: Settlement) {
        let Some((verdict, checks)) = self.settling.get(&request).copied() else {
            return;
        };
        let all = u64::from(self.rules.checks_per_session);
        let plivo = self.asked_about.get(&request);
        let mut others = self
            .accepted
            .iter()
            .flat_map(|(session, all)| all.iter().map(move |(id, _)| (session, id)));
        let is_used = others.any(|(session, id)| {
            *id != request && (*session == asked.session || self.asked_about.get(id) == plivo)
        });
        let is_right = match settlement {
            Settlement::Verified => verdict == Verdict::Accepted,
            Settlement::Incorrect { checks_left } => {
                verdict == Verdict::Incorrect && u64::from(checks_left) + checks <= all
            }
            Settlement::CodeUsed => verdict == Verdict::CodeUsed || is_used,
            Settlement::Over(SessionOver::AlreadyVerified) => is_used,
            Settlement::Over(_) => true,
        };
        let is_right = is_right || self.was_set;
        self.require(is_right, || {
            format!("{request} is {settlement:?} after {verdict:?} and {checks} checks of {all}")
        });
    }

    /// A check has verified a session, and its number is known from then on.
    pub(crate) fn verified(&mut self, request: u64, number: usize, now: Millis) {
        let from = self.accepted_at.get(&request).copied().unwrap_or_default();
        let known = self.became_known.entry(number).or_default();
        *known = (known.0.max(from), known.1.max(now.0));
    }

    /// A verification resets the number's backoff, if that is set.
    pub(crate) fn forgives(&mut self, request: u64, number: usize, is_alone: bool) {
        if !self.rules.verified_owes_no_wait {
            return;
        }
        let from = self.accepted_at.get(&request).copied().unwrap_or_default();
        let ladder = self.ladders.entry(number).or_default();
        ladder.retain(|(_, at)| *at >= from);
        if !ladder.is_empty() || !is_alone {
            self.unclear.insert(number);
        }
    }

    /// Whether the session has no other accepted check.
    pub(crate) fn is_only_accepted(&self, asked: &Asked) -> bool {
        match self.accepted.get(&asked.session).map(Vec::as_slice) {
            Some([(_, only)]) => only.keyed == asked.keyed,
            _ => false,
        }
    }

    /// Each verification of a number exempts two sends to it, and no more.
    pub(crate) fn spared(&mut self, number: usize) {
        let settled = self.accepted.values().flatten();
        let verified = settled.filter(|(_, asked)| asked.number == number).count();
        let spared = self.sends.spared(number);
        self.require(spared <= 2 * verified, || {
            format!("{number} was spared {spared} times, and verified {verified} times")
        });
    }

    /// A known number was verified lately.
    pub(crate) fn known(&mut self, number: usize, at: Millis) {
        let verified_at = self.verified_at.get(&number).copied();
        let kept_for = self.rules.known_numbers_for.unwrap_or_default() + SETTLED_WITHIN;
        let is_known = verified_at.is_some_and(|last| last.after(kept_for) > at);
        self.require(is_known || self.was_set, || {
            format!("{number} is known at {at:?}, and was verified at {verified_at:?}")
        });
    }
}
