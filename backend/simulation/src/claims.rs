//! What an idempotency key answers in a quiet moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use countersign_core::{Millis, Repetition, keys, transitions::FindAnswer};
use countersign_shared::session::SessionStatus;

use crate::{
    border::Keyed,
    checker::Checker,
    request::{Asked, Kind, Request},
    world::World,
};

/// How long a request without an answer counts as in progress.
const UNDER_WAY: Duration = Duration::from_secs(30);
/// Requests with another body that are compared.
const MAX_COMPARED: u32 = 5;

#[derive(Default)]
pub(crate) struct Claims {
    /// The request that each claimed key belongs to.
    claimed: BTreeMap<String, Asked>,
    /// Keys whose requests called Plivo and ended.
    answered: BTreeSet<String>,
    /// Keys whose requests never left.
    freed: BTreeSet<String>,
    /// Requests with another body under each key.
    others: BTreeMap<String, u32>,
    /// Keys with requests that may have been compared.
    unclear: BTreeSet<String>,
}

impl Claims {
    pub(crate) fn claimed(&mut self, asked: &Asked, name: &str) {
        self.claimed.insert(name.to_owned(), asked.clone());
        self.answered.remove(name);
        self.freed.remove(name);
        if self.others.remove(name).is_some() {
            // Answers may overtake each other: they may have been compared with this claim.
            self.unclear.insert(name.to_owned());
        }
    }

    pub(crate) fn freed(&mut self, name: &str) {
        self.freed.insert(name.to_owned());
    }

    /// Whether the request under a key never left.
    pub(crate) fn is_free(&self, name: &str) -> bool {
        self.freed.contains(name)
    }

    /// A request was refused because of its other body.
    pub(crate) fn compared(&mut self, name: &str) {
        *self.others.entry(name.to_owned()).or_default() += 1;
    }
}

impl Checker {
    /// How long an answer must be found: a little less than it is kept, because it was
    /// stored before it was given.
    pub(crate) fn kept_for(&self, asked: &Asked) -> Duration {
        let kept_for = self.key_kept_for(asked);
        kept_for.saturating_sub(Duration::from_secs(10))
    }

    /// How long a request's key is claimed.
    pub(crate) fn key_kept_for(&self, asked: &Asked) -> Duration {
        match asked.kind {
            Kind::Check(_) => self.check_kept_for,
            _ => self.rules.session_lifetime,
        }
    }

    /// From here on the request's key is free, for any body.
    pub(crate) fn frees_key(&mut self, request: &Request) {
        let keyed = request.asked.as_ref().and_then(|it| it.keyed.as_ref());
        let reserved_at = self.reserved_at(request.id);
        if let Some(keyed) =
            keyed.filter(|it| self.claimed_at.get(&it.name).copied() == reserved_at)
        {
            self.claimed_at.remove(&keyed.name);
            self.claims.freed(&keyed.name);
            // A send that Plivo throttled has left, without effect.
            let effects = self.effects.entry(keyed.name.clone()).or_default();
            effects.retain(|(id, _)| *id != request.id);
        }
    }

    /// A request has ended, with a known outcome.
    pub(crate) fn ended(&mut self, request: &Request, waits: bool) {
        let Some(asked) = &request.asked else { return };
        let Some(keyed) = &asked.keyed else { return };
        if waits {
            // Another body may have been counted.
            self.claims.unclear.insert(keyed.name.clone());
        }
        if request.has_left {
            // Its answer may be kept although its claim had expired, and the key was freed
            // by a later request.
            self.claims.freed.remove(&keyed.name);
        }
        let is_own = self.claimed_at.get(&keyed.name).copied() == self.reserved_at(request.id);
        if request.has_left && is_own {
            self.claims.answered.insert(keyed.name.clone());
        }
    }
}

impl World {
    /// A key stays claimed for its time, with its answer; it is free if its request never
    /// left.
    pub(crate) fn check_the_claims(&mut self) {
        let now = self.clock_now();
        let rows = self.store.rows();
        for name in self.checker.claims.freed.clone() {
            let row = rows.get(&keys::idempotency(&name));
            let is_there = row.is_some_and(|row| row.expires_at > now);
            let asked = self.checker.claims.claimed.get(&name);
            let is_kept = asked.is_some_and(|it| self.is_over(it));
            self.checker
                .require(!is_there || is_kept, || format!("{name} is still claimed"));
        }
        for (name, asked) in self.checker.claims.claimed.clone() {
            let claimed_at = self.checker.claimed_at.get(&name).copied().map(Millis);
            let Some((at, keyed)) = claimed_at.zip(asked.keyed.as_ref()) else {
                continue;
            };
            if at.after(self.checker.key_kept_for(&asked)) > now {
                self.check_a_claim(&asked, keyed, at.until(now));
            }
        }
    }

    /// Whether a send or resend never left, and a code was entered all the same, because a
    /// callback about another send adopted its session. That session keeps its key.
    fn is_over(&self, asked: &Asked) -> bool {
        let seen = self.view(&asked.session);
        let is_over = seen.is_some_and(|seen| seen.status != SessionStatus::Pending);
        is_over && !matches!(asked.kind, Kind::Check(_))
    }

    fn check_a_claim(&mut self, asked: &Asked, keyed: &Keyed, age: Duration) {
        let kept_for = self.checker.key_kept_for(asked);
        let settings = &self.settings;
        let found = self.read(&FindAnswer {
            claim: settings.claim(keyed, &asked.session, asked.caller, kept_for),
            rules: settings.rules.clone(),
        });
        let claims = &self.checker.claims;
        let is_answered = claims.answered.contains(&keyed.name);
        let others = claims.others.get(&keyed.name).copied().unwrap_or_default();
        let is_unclear = claims.unclear.contains(&keyed.name);
        // A callback may have answered a send.
        let is_check = matches!(asked.kind, Kind::Check(_));
        let is_compared = others < MAX_COMPARED || is_unclear;
        let is_right = match &found {
            Some(Ok(Repetition::Reused)) => others >= MAX_COMPARED || is_unclear,
            Some(Ok(found @ Repetition::Answered { .. })) => {
                (is_answered || !is_check) && is_compared && self.checker.answers(asked, found)
            }
            Some(Ok(Repetition::UnderWay)) => !is_answered && age < UNDER_WAY && is_compared,
            Some(Ok(Repetition::Lost { .. })) => !is_answered && age >= UNDER_WAY && is_compared,
            Some(Err(_)) | None => false,
        };
        self.checker.require(is_right, || {
            format!(
                "{keyed:?} is {found:?} after {age:?}, answered: {is_answered}, {others} others"
            )
        });
    }
}
