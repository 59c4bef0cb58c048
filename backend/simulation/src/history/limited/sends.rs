//! Sends and resends.

use std::sync::Arc;

use countersign_core::{
    Limit, Millis, NewSession, Owner, Sealed, keys,
    transitions::{ReserveResend, ReserveSend, Reserved, SendReservation},
};
use countersign_shared::Channel;

use super::{Limited, Pending, Taken};
use crate::{
    border,
    history::{
        accounts::{Backoff, Session, State, millis},
        claims::Keyed,
        quotas::{OneLimit, PLACES, price},
    },
};

/// A send or a resend that Plivo has yet to answer.
pub(super) struct Send {
    pub(super) reservation: Arc<SendReservation>,
    pub(super) new: Option<NewSession>,
    pub(super) session: usize,
    pub(super) channel: Channel,
    pub(super) at: u64,
    pub(super) next_at: u64,
    pub(super) expected: u64,
    pub(super) is_known: bool,
    pub(super) taken: Vec<Taken>,
    pub(super) before: Backoff,
    pub(super) keyed: Option<Keyed>,
}

impl Limited<'_> {
    pub(super) fn send(&mut self) {
        let number = self.random.index(PLACES.len());
        let caller = self.random.index(self.quotas.end_users.len());
        let channel = self.channel();
        let name = format!("session{}", self.name());
        let lifetime = millis(self.rules.session_lifetime);
        let keyed = self.keyed("send", &name, lifetime);
        let new = NewSession {
            key: keys::session(&name),
            number: border::number_key(number),
            contact: Sealed(Vec::new()),
            channel,
            owner: Owner {
                application: border::application_id(caller),
                with_key: caller % 2 == 1,
            },
            end_user: self.quotas.end_users[caller].clone(),
        };
        let told = self.service.run(&ReserveSend {
            page: None,
            new: new.clone(),
            limits: self.limits_of(number, caller, channel),
            claim: keyed.as_ref().map(|it| self.claim(it, caller)),
            request_id: String::new(),
            rules: self.rules.clone(),
        });
        if !self.is_new(keyed.as_ref(), caller, &told) {
            return;
        }
        let now = self.now();
        let session = Session {
            name,
            number,
            caller,
            state: State::Reserved,
            ends_at: now + lifetime,
            checks_left: self.rules.checks_per_session,
            plivo: String::new(),
            deliveries: Vec::new(),
            is_gone: false,
            is_unknown: false,
        };
        self.evaluated(session, Some(new), channel, keyed, told, false);
    }

    pub(super) fn resend(&mut self) {
        // Two codes of one session are never requested at the same moment.
        self.service.pass(1);
        self.note_what_ended();
        let Some(session) = self.random.pick(&self.sessions).cloned() else {
            return;
        };
        let (channel, at_once) = (self.channel(), self.random.percent(20));
        let lifetime = millis(self.rules.session_lifetime);
        let keyed = self.keyed(&session.name, &session.name, lifetime);
        let caller = session.caller;
        let key = Some(caller).filter(|it| it % 2 == 1);
        let told = self.service.run(&ReserveResend {
            application: key.map(border::application_id),
            session: keys::session(&session.name),
            channel,
            limits: self.limits_of(session.number, caller, channel),
            at_once,
            claim: keyed.as_ref().map(|it| self.claim(it, caller)),
            request_id: String::new(),
            rules: self.rules.clone(),
        });
        if !self.is_new(keyed.as_ref(), caller, &told) {
            return;
        }
        let over = session.closed_to(key, self.now());
        let is_over = matches!(&told, Reserved::Over(told) if Some(*told) == over);
        self.require(is_over || over.is_none(), || {
            format!("{session:?} is {told:?}, and not {over:?}")
        });
        if over.is_none() {
            self.evaluated(session, None, channel, keyed, told, at_once);
        }
    }

    fn channel(&mut self) -> Channel {
        if self.random.percent(30) {
            Channel::Voice
        } else {
            Channel::Sms
        }
    }

    fn is_known(&self, number: usize, more: u32) -> bool {
        let is_known = |(_, until, open): (u64, u64, u32)| until > self.now() && open + more < 2;
        let is_allowed = self.allows && number == 0;
        is_allowed || self.numbers[number].known.is_some_and(is_known)
    }

    /// The limits that a send uses: known numbers have no limit by range, and a reserve.
    fn used_by(
        &mut self,
        (number, caller, channel): (usize, usize, Channel),
        more: u32,
    ) -> Vec<OneLimit> {
        let now = self.now();
        let mut all = self.quotas.of_send(number, caller, channel);
        let is_known = self.is_known(number, more);
        let reserve = self.quotas.reserve(number);
        if let Some(reserve) = &reserve
            && (self.rules.known_numbers_for.is_some() || self.allows && number == 0)
        {
            self.counter(reserve);
        }
        if !is_known {
            return all;
        }
        all.retain(|it| it.0 != Limit::SendsPerRange);
        if let Some(reserve) = reserve {
            for it in all.iter_mut().filter(|it| it.0 == Limit::SendsPerCountry) {
                let full = self.counter(it).wait(it.3, now);
                if full > 0 && self.counter(&reserve).wait(reserve.3, now) < full {
                    it.clone_from(&reserve);
                }
            }
        }
        all
    }

    /// A send was evaluated: its wait, or what it was reserved with.
    fn evaluated(
        &mut self,
        session: Session,
        new: Option<NewSession>,
        channel: Channel,
        keyed: Option<Keyed>,
        told: Reserved<SendReservation>,
        at_once: bool,
    ) {
        let (now, number) = (self.now(), session.number);
        let asked = (number, session.caller, channel);
        // All of them are read, whichever apply.
        for it in self.quotas.of_send(number, session.caller, channel) {
            self.counter(&it);
        }
        let rules = self.rules.clone();
        self.numbers[number].backoff.read_at(&rules, now);
        let before = self.numbers[number].backoff;
        let limits = self.used_by(asked, 0);
        let owed = before.ready_at(&rules).saturating_sub(now);
        let owed = if at_once { 0 } else { owed };
        let wait = match &told {
            Reserved::Wait(wait) => Some(wait),
            _ => None,
        };
        if !self.compare_a_wait(&limits, owed, wait) {
            return;
        }
        let Reserved::Reserved(reservation) = told else {
            let is_right = wait.is_some();
            return self.require(is_right, || format!("a send is {told:?}"));
        };
        let is_known = self.is_known(number, 0);
        let taken = self.take(&limits);
        self.numbers[number].backoff = before.after(now);
        let known_for = rules.known_numbers_for.map_or(0, millis);
        if let Some(it) = self.numbers[number]
            .known
            .as_mut()
            .filter(|it| is_known && it.1 > now)
        {
            *it = (it.0, it.0.min(now) + known_for, it.2 + 1);
        }
        self.compare_a_reservation(asked, &reservation, is_known);
        if let Some(it) = &keyed {
            self.claims
                .claim(&it.key, &it.body, &it.subject, (now, now + it.kept_for));
        }
        let price = price(number, channel);
        let has_caps = limits
            .iter()
            .any(|it| matches!(it.0, Limit::Budget | Limit::ApplicationBudget));
        let position = self.sessions.iter().position(|it| it.name == session.name);
        let index = position.unwrap_or(self.sessions.len());
        if position.is_none() {
            self.sessions.push(session);
        }
        let reserved = &mut self.numbers[number].reserved;
        reserved.retain(|(_, at)| at + millis(rules.session_lifetime) > now && *at <= now);
        if reserved.len() == 8 {
            reserved.remove(0);
        }
        reserved.push((index, now));
        self.pending.push(Pending::Send(Send {
            next_at: now + millis(reservation.next_in(Millis(now))),
            reservation: Arc::new(reservation),
            new,
            session: index,
            channel,
            at: now,
            expected: if has_caps { price } else { 0 },
            is_known,
            taken,
            before,
            keyed,
        }));
        if self.random.percent(60) {
            let last = self.pending.pop();
            if let Some(Pending::Send(send)) = last {
                self.resolve_send(&send);
            }
        }
    }

    fn compare_a_reservation(
        &mut self,
        asked: (usize, usize, Channel),
        told: &SendReservation,
        is_known: bool,
    ) {
        let (now, number) = (self.now(), asked.0);
        let mut next = self.numbers[number].backoff.ready_at(&self.rules);
        // The sends since it was verified are counted already.
        let after = self.used_by(asked, 0);
        for it in &after {
            next = next.max(now + self.counter(it).wait(it.3, now));
        }
        let next_in = millis(told.next_in(Millis(now)));
        let left = next.saturating_sub(now);
        let is_over = told.next_in(Millis(now + left + 1)).is_zero();
        let is_right = next_in == left && is_over && told.is_known() == is_known;
        self.require(is_right, || {
            format!(
                "{asked:?} is told {next_in} at {now}, and {left}, known: {is_known}; {after:?}"
            )
        });
        for (limit, told) in [
            (Limit::Budget, told.budget_used()),
            (Limit::ApplicationBudget, told.application_budget_used()),
        ] {
            let budget = after.iter().find(|it| it.0 == limit);
            let used = budget.map(|it| self.counter(it).used());
            let used = used.unwrap_or_default();
            self.require(told == used, || {
                format!("{limit:?}: {told:?}, and not {used:?}")
            });
        }
    }
}
