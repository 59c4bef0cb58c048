//! Invariants of sessions, and of Plivo's sessions behind them.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::{Key, Millis, Session, Settlement};

use crate::{
    checker::Checker,
    request::{Asked, Kind, Request},
    world::World,
};

#[derive(Default)]
pub(crate) struct Sessions {
    /// Requested sends and resends of each session.
    pub(crate) asked: BTreeMap<String, usize>,
    /// The number and the caller of each session.
    numbers: BTreeMap<String, (usize, usize)>,
    /// Reserved checks of each session, except those that were released.
    checks: BTreeMap<String, BTreeSet<u64>>,
    /// The number that each of Plivo's sessions was recorded for.
    number_of_plivo: BTreeMap<String, usize>,
    /// When each session was to end, as it was first told.
    ends_at: BTreeMap<String, Millis>,
    /// Codes that have verified a session, with the newest request at that time.
    used: BTreeMap<String, u64>,
    /// Sessions known to have ended, with the newest request at that time and whether they
    /// are verified.
    over: BTreeMap<String, (u64, bool)>,
}

/// A session as it is known to callers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownSession {
    pub(crate) number: usize,
    pub(crate) caller: usize,
    pub(crate) ends_at: Millis,
    pub(crate) is_verified: bool,
    /// Whether it is verified, or a wrong code was its last check.
    pub(crate) is_over: bool,
    /// Checks used.
    pub(crate) checks: u64,
}

impl Sessions {
    pub(crate) fn begun(&mut self, asked: &Asked) {
        if !matches!(asked.kind, Kind::Check(_)) {
            *self.asked.entry(asked.session.clone()).or_default() += 1;
            let whose = (asked.number, asked.caller);
            self.numbers.insert(asked.session.clone(), whose);
        }
    }

    /// Sessions that were known to be verified before that request began.
    pub(crate) fn verified_before(&self, request: u64) -> u64 {
        let over = self.over.values();
        over.filter(|(newest, is_verified)| *is_verified && *newest < request)
            .count() as u64
    }

    /// The sessions of a number.
    pub(crate) fn names_of(&self, number: usize) -> Vec<String> {
        let of_number = self.numbers.iter().filter(|(_, it)| it.0 == number);
        of_number.map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn number_of_plivo(&self, plivo: &str) -> Option<usize> {
        let key = format!("upstream/{plivo}");
        self.number_of_plivo.get(&key).copied()
    }

    pub(crate) fn number_of(&self, session: &str) -> Option<usize> {
        self.numbers.get(session).map(|(number, _)| *number)
    }

    pub(crate) fn caller_of(&self, session: &str) -> usize {
        self.numbers.get(session).map_or(0, |(_, caller)| *caller)
    }

    /// A check was reserved.
    pub(crate) fn checked(&mut self, request: u64, asked: &Asked) {
        let checks = self.checks.entry(asked.session.clone());
        checks.or_default().insert(request);
    }

    /// A check was released, if that request is one.
    pub(crate) fn released(&mut self, request: u64) {
        for (session, checks) in &mut self.checks {
            // It opens a session that was exhausted.
            if checks.remove(&request) && self.over.get(session).is_some_and(|it| !it.1) {
                self.over.remove(session);
            }
        }
    }

    /// What is known of a session that was recorded.
    pub(crate) fn known(&self, session: &str) -> Option<KnownSession> {
        let (number, caller) = *self.numbers.get(session)?;
        let over = self.over.get(session);
        Some(KnownSession {
            number,
            caller,
            ends_at: *self.ends_at.get(session)?,
            is_verified: over.is_some_and(|(_, is_verified)| *is_verified),
            is_over: over.is_some(),
            checks: self.checks.get(session).map_or(0, BTreeSet::len) as u64,
        })
    }

    /// The reserved checks of a session.
    pub(crate) fn checks_of(&self, session: &str) -> impl Iterator<Item = u64> {
        self.checks.get(session).into_iter().flatten().copied()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.asked.keys().cloned().collect()
    }
}

impl Checker {
    /// Records the Plivo session of one of ours; it must not belong to another number.
    pub(crate) fn recorded(&mut self, asked: &Asked, session: &Session) {
        let plivo = session.upstream.key.as_str().to_owned();
        let numbers = &mut self.sessions.number_of_plivo;
        let number = *numbers.entry(plivo.clone()).or_insert(asked.number);
        let is_theirs = number == asked.number || self.was_set;
        self.require(is_theirs, || format!("{plivo} is of two numbers"));
        // A resend prolongs nothing.
        let ends_at = session.expires_at;
        let first = self.sessions.ends_at.entry(asked.session.clone());
        let first = *first.or_insert(ends_at);
        let is_forgotten = self.operator.has_forgotten(asked.number);
        let is_same = ends_at <= first || self.was_set || is_forgotten;
        let name = &asked.session;
        self.require(is_same, || {
            format!("{name} ends at {ends_at:?}, and was to end at {first:?}")
        });
    }

    /// A callback has adopted a send: Plivo's session must not be another number's, and its
    /// code must not have been used before the callback came.
    pub(crate) fn adopted(&mut self, request: u64, plivo: &str, number: usize) {
        let known = self
            .sessions
            .number_of_plivo
            .get(&format!("upstream/{plivo}"));
        let is_theirs = known.is_none_or(|known| *known == number) || self.was_set;
        self.require(is_theirs, || format!("{plivo} is adopted for {number}"));
        let numbers = &mut self.sessions.number_of_plivo;
        numbers.insert(format!("upstream/{plivo}"), number);
        let used = self.sessions.used.get(plivo);
        let is_open = used.is_none_or(|newest| request <= *newest) || self.was_set;
        self.require(is_open, || format!("{plivo} is used up, and is adopted"));
    }

    /// A code has verified a session.
    pub(crate) fn used(&mut self, plivo: &str) {
        let newest = self.answers.newest_request;
        let used = self.sessions.used.entry(plivo.to_owned());
        used.or_insert(newest);
    }

    /// Records that a check has ended its session.
    pub(crate) fn settled(&mut self, asked: &Asked, settlement: Settlement) {
        let is_verified = settlement == Settlement::Verified;
        if is_verified || settlement == (Settlement::Incorrect { checks_left: 0 }) {
            let newest = self.answers.newest_request;
            let over = self.sessions.over.entry(asked.session.clone());
            let known = over.or_insert((newest, is_verified));
            if is_verified {
                *known = (newest, true);
            }
        }
    }

    /// A step was reserved: its session must not have ended before the step was
    /// requested.
    pub(crate) fn reserved_in(&mut self, request: &Request, asked: &Asked) {
        let over = self.sessions.over.get(&asked.session).copied();
        let is_over = over.is_some_and(|(newest, is_verified)| {
            // A released check reopens an exhausted session.
            request.id > newest && (is_verified || self.released == 0)
        });
        // What is forgotten may begin anew when Plivo answers late.
        let is_forgotten = self.operator.has_forgotten(asked.number);
        let is_open = !is_over || self.was_set || is_forgotten;
        let name = asked.session.clone();
        self.require(is_open, || {
            format!("{name} is over, and {} goes on", request.id)
        });
    }
}

impl World {
    /// A number that was verified is known from then on.
    pub(crate) fn check_known(&mut self, asked: &Asked) {
        let is_remembered = self.settings.rules.known_numbers_for.is_some();
        let is_clear = !self.checker.was_set && !self.checker.operator.has_forgotten(asked.number);
        if is_remembered && is_clear {
            let key = Key::new(&format!("known/{}", asked.number));
            let is_known = self.store.rows().contains_key(&key);
            let number = asked.number;
            self.checker
                .require(is_known, || format!("{number} is verified and not known"));
        }
    }

    /// No session may have more deliveries than were requested.
    pub(crate) fn check_the_deliveries(&mut self) {
        for (session, asked) in self.checker.sessions.asked.clone() {
            let seen = self.view(&session);
            let delivered = seen.map_or(0, |seen| seen.deliveries.len());
            self.checker.require(delivered <= asked, || {
                format!("{session} has {delivered} deliveries of {asked}")
            });
        }
    }
}
