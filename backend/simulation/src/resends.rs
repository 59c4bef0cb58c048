//! In a quiet moment, what a resend of an open session would be told.

use countersign_core::{ApplicationId, SessionOver, transitions::Reserved};
use countersign_shared::Channel;

use crate::{
    border::{key_of, number_key},
    expected::Next,
    sessions::KnownSession,
    world::World,
};

impl World {
    /// An open session takes a resend to its number, from its own caller, when a send would
    /// be accepted, or without the number's backoff.
    pub(crate) fn check_a_resend(&mut self, session: &str) {
        let Some(known) = self.checker.sessions.known(session) else {
            return;
        };
        let checks = u64::from(self.settings.rules.checks_per_session);
        let is_forgotten = self.checker.operator.has_forgotten(known.number);
        let is_ended = known.is_over || known.ends_at <= self.clock_now();
        if is_forgotten || is_ended || known.checks >= checks {
            return;
        }
        self.check_who_may_resend(session, known);
        let channel = [Channel::Sms, Channel::Voice][self.random.index(2)];
        let now = self.clock_now().0;
        let next = Next {
            number: known.number,
            caller: known.caller,
            channel,
            now,
            is_known: self.checker.is_known(known.number, now),
        };
        for at_once in [false, true] {
            let mut moments = self.checker.room_for_send(&self.settings, next, false);
            if at_once {
                moments.retain(|(limit, _)| limit.is_some());
            }
            let pair = (known.number, known.caller);
            let step = self.settings.resend(session, pair, channel, at_once, None);
            match self.read(&step) {
                Reserved::Reserved(told) if !at_once => {
                    self.check_a_reservation(next, &moments, &told);
                }
                Reserved::Reserved(_) => self.check_room(next, &moments),
                Reserved::Wait(wait) => {
                    self.check_a_wait(&moments, &wait, now, Some(next));
                    let is_backoff = at_once && wait.limit.is_none();
                    self.checker.require(!is_backoff, || {
                        format!("{session} waits for its backoff at once: {wait:?}")
                    });
                }
                other => self.checker.require(false, || {
                    format!("{session} is open, and a resend is {other:?}")
                }),
            }
        }
    }

    fn check_who_may_resend(&mut self, session: &str, known: KnownSession) {
        let pair = (known.number, known.caller);
        let mut step = self
            .settings
            .resend(session, pair, Channel::Sms, false, None);
        step.limits.number = number_key(known.number + 1);
        let to_another = self.read(&step);
        step.limits.number = number_key(known.number);
        step.application = match key_of(known.caller) {
            Some(_) => None,
            None => Some(ApplicationId::parse("stranger").expect("an id")),
        };
        for told in [to_another, self.read(&step)] {
            let is_hidden = matches!(told, Reserved::Over(SessionOver::NotFound));
            self.checker.require(is_hidden, || {
                format!("{session} is open to a stranger: {told:?}")
            });
        }
    }
}
