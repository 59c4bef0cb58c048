//! Invariants of what is released because it never left: it leaves no trace, and nothing
//! that happened meanwhile is undone.

use countersign_core::{
    Millis, SessionOver, UpstreamOutcome, keys,
    transitions::{Reserved, ViewSession},
};
use countersign_shared::{Channel, session::SessionStatus};

use crate::{
    request::{Asked, Kind, Request},
    world::World,
};

impl World {
    /// If other sends to the number are in progress, the release may come before or after
    /// them.
    pub(crate) fn release_beside_others(&mut self, request: &Request) {
        let number = |it: &Request| it.asked.as_ref().map(|it| it.number);
        let number_of_it = number(request);
        let mut others = self.requests.values();
        if let Some(of_it) = number_of_it
            && others.any(|it| number(it) == Some(of_it))
        {
            self.checker.unclear.insert(of_it);
            self.checker.is_distinct_unclear = true;
        }
    }

    /// A send that never left must leave no session, unless a callback about another send
    /// gave it a code that was tried to the end meanwhile.
    pub(crate) fn check_release(&mut self, request: &Request) {
        self.release_beside_others(request);
        let Some(asked) = &request.asked else { return };
        self.check_claim(request, asked);
        self.check_that_it_stays(request, asked);
        self.check_backoff(asked);
        let seen = self.view(&asked.session);
        if seen.is_some_and(|seen| seen.status != SessionStatus::Pending) {
            return;
        }
        // One that has expired may come back when the clock is set back.
        let key = keys::session(&asked.session);
        let may_come_back = self.checker.was_set && self.store.rows().contains_key(&key);
        if let Some(asked) = self.checker.sessions.asked.get_mut(&asked.session)
            && !may_come_back
        {
            *asked -= 1;
        }
        self.check_withdrawn(request);
    }

    /// The session of a send that did not happen is gone, unless a callback adopted it and
    /// its checks were used up.
    pub(crate) fn check_withdrawn(&mut self, request: &Request) {
        let Some(asked) = &request.asked else { return };
        let seen = self.view(&asked.session);
        if seen
            .as_ref()
            .is_some_and(|seen| seen.status != SessionStatus::Pending)
        {
            return;
        }
        if let Kind::Send(channel) = asked.kind {
            let at = self.checker.reserved_at(request.id).map(Millis);
            let deliveries = seen.map(|seen| seen.deliveries).unwrap_or_default();
            let mut own = deliveries.iter();
            let is_left = own.any(|it| it.channel == channel && Some(it.requested_at) == at);
            if !deliveries.is_empty() && !is_left {
                // A resend happened while it was adopted.
                return;
            }
            let key = keys::session(&asked.session);
            let (row, now) = (self.store.rows().remove(&key), self.clock_now());
            // An expired one may come back when the clock is set back.
            let is_gone = row.is_none_or(|row| row.expires_at <= now) || self.checker.was_set;
            self.checker
                .require(is_gone, || format!("{key:?} was withdrawn and is there"));
            let told = self.read(&ViewSession { session: key });
            let is_unknown = told == Err(SessionOver::NotFound) || self.checker.was_set;
            self.checker
                .require(is_unknown, || format!("one that was withdrawn is {told:?}"));
        }
    }

    /// The key of a send that Plivo throttled is free again, unless it was claimed since.
    pub(crate) fn check_freed(&mut self, request: &Request) {
        let keyed = request.asked.as_ref().and_then(|it| it.keyed.as_ref());
        let Some(keyed) = keyed.filter(|_| !self.checker.was_set) else {
            return;
        };
        let is_throttled =
            self.checker.told.failure(request.id) == Some(UpstreamOutcome::Throttled);
        let others = self.requests.values().filter_map(|it| it.asked.as_ref());
        let mut keys_of_others = others.filter_map(|it| it.keyed.as_ref());
        let is_alone = !keys_of_others.any(|it| it.name == keyed.name);
        let is_last = self.checker.told.claimant(&keyed.name) == Some(request.id);
        if is_throttled && is_alone && is_last && self.checker.in_doubt == 0 {
            let row = self.store.rows().remove(&keys::idempotency(&keyed.name));
            let name = &keyed.name;
            self.checker.require(row.is_none(), || {
                format!("{name} was throttled, and is kept")
            });
        }
    }

    /// A key that another request has claimed since must still be claimed.
    pub(crate) fn check_claim(&mut self, request: &Request, asked: &Asked) {
        let Some(keyed) = &asked.keyed else { return };
        let claimed_at = self.checker.claimed_at.get(&keyed.name).copied();
        let age = claimed_at.map(|at| Millis(at).until(self.clock_now()));
        let kept_for = match asked.kind {
            Kind::Check(_) => self.settings.check_kept_for,
            _ => self.settings.rules.session_lifetime,
        };
        let is_others = claimed_at != self.checker.reserved_at(request.id);
        if !is_others || age.is_none_or(|age| age >= kept_for) || self.checker.was_set {
            return;
        }
        let row = self.store.rows().remove(&keys::idempotency(&keyed.name));
        let (name, id) = (&keyed.name, request.id);
        self.checker.require(row.is_some(), || {
            format!("{id} was released and has freed {name}, which is another's")
        });
    }

    /// A check that was released leaves its session open.
    pub(crate) fn check_reopened(&mut self, asked: &Asked) {
        let seen = self.view(&asked.session);
        let is_shut = seen.is_some_and(|seen| {
            seen.status == SessionStatus::ChecksExhausted && seen.checks_left > 0
        });
        let name = &asked.session;
        self.checker.require(!is_shut, || {
            format!("{name} has checks left and takes none")
        });
    }

    /// If nothing else was sent to the number, its backoff must be as before.
    fn check_backoff(&mut self, asked: &Asked) {
        let of_number = |it: &Request| it.asked.as_ref().map(|it| it.number);
        let mut others = self.requests.values();
        let is_alone = !others.any(|it| of_number(it) == Some(asked.number));
        let last = self.checker.sends.last_of(asked.number);
        let is_clear = self.checker.in_doubt == 0 && !self.checker.was_set;
        let is_clear = is_clear && !self.settings.rules.verified_owes_no_wait;
        if !is_alone || !is_clear || self.checker.operator.has_freed(asked.number) {
            return;
        }
        let now = self.clock_now();
        let shortest = self.settings.rules.wait_after(1);
        let owes = last.map(|at| Millis(at).after(shortest) > now);
        if owes == Some(false) {
            return;
        }
        let channel = Channel::Sms;
        let pair = (asked.number, asked.caller);
        let mut step = self.settings.send("probe", pair, channel, None);
        step.limits.checks.clear();
        let number = asked.number;
        match (owes, self.read(&step)) {
            (None, Reserved::Wait(wait)) => self.checker.require(wait.limit.is_some(), || {
                format!("{number} waits for a send that never left")
            }),
            (Some(_), Reserved::Reserved(_)) => self.checker.require(false, || {
                format!("{number} no longer waits, since another send never left")
            }),
            _ => {}
        }
    }
}
