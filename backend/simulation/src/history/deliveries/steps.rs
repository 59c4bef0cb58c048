//! Sends and resends, and what Plivo makes of them.

use std::{sync::Arc, time::Duration};

use countersign_core::{
    Destination, EndUserKeys, IdempotencyClaim, Millis, NewSession, Owner, Route, Sealed,
    SendLimits, keys,
    transitions::{ReserveResend, ReserveSend, Reserved as Outcome},
};
use countersign_shared::{Channel, session::AttemptStatus};

use super::{Deliveries, LIFETIME, NUMBERS, Reserved, Send, callbacks::Callback};
use crate::{
    border,
    history::{
        accounts::{Session, State, millis},
        claims::{Found, Keyed},
    },
};

/// Sends that are kept for each number.
const MAX_RESERVED: usize = 8;

impl Deliveries<'_> {
    pub(super) fn send(&mut self) {
        let number = self.random.index(NUMBERS);
        let session = format!("session{}", self.name());
        let channel = self.channel();
        let new = NewSession {
            key: keys::session(&session),
            number: border::number_key(number),
            contact: Sealed(Vec::new()),
            channel,
            owner: Owner {
                application: border::application_id(0),
                with_key: false,
            },
            end_user: EndUserKeys::default(),
        };
        let now = self.now();
        self.sessions.push(Session {
            name: session,
            number,
            caller: 0,
            state: State::Reserved,
            ends_at: now + LIFETIME,
            checks_left: self.rules.checks_per_session,
            plivo: String::new(),
            deliveries: Vec::new(),
            is_gone: false,
            is_unknown: false,
        });
        self.reserve(self.sessions.len() - 1, Some(new), channel);
    }

    pub(super) fn resend(&mut self) {
        let now = self.now();
        let sessions = self.sessions.iter().enumerate();
        let open = sessions.filter(|(_, it)| it.closed_to(None, now).is_none());
        let open: Vec<usize> = open.map(|(index, _)| index).collect();
        let Some(session) = self.random.pick(&open).copied() else {
            return self.send();
        };
        let channel = self.channel();
        let reserved = self.reserved[self.sessions[session].number].iter();
        let mut alike = reserved.filter(|it| (it.session, it.channel) == (session, channel));
        if alike.all(|it| it.at != now) {
            self.reserve(session, None, channel);
        }
    }

    fn channel(&mut self) -> Channel {
        [Channel::Sms, Channel::Sms, Channel::Voice][self.random.index(3)]
    }

    fn reserve(&mut self, session: usize, new: Option<NewSession>, channel: Channel) {
        let (now, rules) = (self.now(), self.rules.clone());
        let number = self.sessions[session].number;
        let subject = self.sessions[session].name.clone();
        let request = format!("request{}", self.name());
        let keyed = self.random.percent(70).then(|| Keyed {
            key: format!("key{}", self.random.index(3)),
            body: String::new(),
            subject,
            at: now,
            kept_for: LIFETIME,
        });
        let claim = keyed.as_ref().map(claim);
        let limits = SendLimits {
            number: border::number_key(number),
            checks: Vec::new(),
            known_reserve: None,
            destination: destination(),
            route: Route {
                country: "US".to_owned(),
                channel,
            },
            is_allowed: false,
        };
        let (request_id, key) = (request.clone(), keys::session(&self.sessions[session].name));
        let outcome = match &new {
            Some(new) => self.service.run(&ReserveSend {
                page: None,
                new: new.clone(),
                limits,
                claim,
                request_id,
                rules,
            }),
            None => self.service.run(&ReserveResend {
                application: None,
                session: key,
                channel,
                limits,
                at_once: false,
                claim,
                request_id,
                rules,
            }),
        };
        if let Some(keyed) = &keyed {
            let found = self.claims.find(&keyed.key, &keyed.body, now);
            if let Found::Repeated(repetition) = found {
                if new.is_some() {
                    self.sessions[session].is_unknown = true;
                }
                let is_right = matches!(&outcome, Outcome::Repeated(told) if *told == repetition);
                return self.require(is_right, || {
                    format!("{keyed:?} is {outcome:?}, and not {repetition:?}")
                });
            }
            let claimed = (now, now + LIFETIME);
            self.claims.claim(&keyed.key, "", &keyed.subject, claimed);
        }
        let Outcome::Reserved(reservation) = outcome else {
            return self.require(false, || format!("a send is {outcome:?}"));
        };
        let reserved = Reserved {
            session,
            channel,
            at: now,
            next_at: now + millis(reservation.next_in(Millis(now))),
            keyed,
            request,
        };
        let all = &mut self.reserved[number];
        all.retain(|it| it.at + LIFETIME > now && it.at <= now);
        if all.len() == MAX_RESERVED {
            all.remove(0);
        }
        all.push(reserved.clone());
        let plivo = self
            .random
            .percent(85)
            .then(|| self.reach_plivo(number, channel));
        self.pending.push(Send {
            reserved,
            reservation: Arc::new(reservation),
            new,
            plivo,
        });
        if self.random.percent(40) {
            self.resolve();
        }
    }

    /// Plivo sends a code, in a session that it may have begun before.
    fn reach_plivo(&mut self, number: usize, channel: Channel) -> usize {
        let last = self.plivo.iter().rposition(|it| it.0 == number);
        let last = last.filter(|_| self.random.percent(75));
        let plivo = last.unwrap_or_else(|| {
            self.plivo.push((number, Vec::new()));
            self.plivo.len() - 1
        });
        self.plivo[plivo].1.push(channel);
        let index = self.plivo[plivo].1.len() - 1;
        let last = [AttemptStatus::Delivered, AttemptStatus::Undelivered];
        for status in [AttemptStatus::Queued, AttemptStatus::Sent]
            .into_iter()
            .chain(last)
        {
            if self.random.percent(60) {
                let nonce = format!("nonce{}", self.name());
                self.callbacks.push(Callback {
                    nonce,
                    plivo,
                    index,
                    status,
                });
            }
        }
        plivo
    }
}

fn claim(keyed: &Keyed) -> IdempotencyClaim {
    IdempotencyClaim {
        key: keys::idempotency(&keyed.key),
        body: String::new(),
        kept_for: Duration::from_millis(LIFETIME),
        subject: Some(Sealed(keyed.subject.clone().into_bytes())),
        mismatch: Vec::new(),
    }
}

pub(super) fn destination() -> Destination {
    Destination {
        country: keys::conversion("country"),
        range: keys::conversion("range"),
        known: keys::conversion("known"),
    }
}
