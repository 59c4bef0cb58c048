//! A store backed by one map, which checks the invariants of every step.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_shared::Channel;

use crate::{
    ApplicationId, AttemptUpdate, Destination, EndUserKeys, IdempotencyClaim, Key, Limit, Limits,
    Millis, NewSession, Owner, Quota, Route, Rows, Sealed, SendKeys, SessionRules, StoredRow,
    Transition, Unreadable, Upstream, UpstreamAttempt, Verdict, Write, keys,
    transitions::{
        CallbackRecipient, CheckReservation, RecordCallback, RecordSent, Recorded, ReserveCheck,
        ReserveSend, Reserved, SendLimits, SendReservation, SettleCheck, Settlement,
    },
};

pub(super) const START: Millis = Millis(1_764_000_000_000);

pub(super) struct World {
    pub(super) rows: BTreeMap<Key, StoredRow>,
    pub(super) now: Millis,
    pub(super) rules: Arc<SessionRules>,
    pub(super) limits: Limits,
    /// Rows that the last step wrote.
    pub(super) written: usize,
    /// Whether the last step guarded single use.
    pub(super) guards_single_use: bool,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
            now: START,
            rules: Arc::new(SessionRules::sample()),
            limits: Limits::default(),
            written: 0,
            guards_single_use: false,
        }
    }

    pub(super) fn with_rules(change: impl FnOnce(&mut SessionRules)) -> Self {
        let mut rules = SessionRules::sample();
        change(&mut rules);
        Self {
            rules: Arc::new(rules),
            ..Self::new()
        }
    }

    pub(super) fn advance(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    /// Runs a step as the committer does.
    pub(super) fn try_run<T: Transition>(&mut self, step: &T) -> Result<T::Outcome, Unreadable> {
        let mut base = BTreeMap::new();
        for _ in 0..2 {
            let named = step.keys(&Rows::new(&base, self.now))?;
            for key in named {
                let stored = self.rows.get(&key).cloned();
                base.insert(key, stored);
            }
        }
        let named = step.keys(&Rows::new(&base, self.now))?;
        assert!(named.iter().all(|key| base.contains_key(key)), "two rounds");
        let mut rows = Rows::new(&base, self.now);
        let outcome = step.apply(&mut rows)?;
        self.guards_single_use = rows.guards_single_use();
        let writes = rows.into_writes();
        // A step may be run again.
        let mut again = Rows::new(&base, self.now);
        step.apply(&mut again)?;
        assert_eq!(again.into_writes(), writes);
        self.written = writes.len();
        for (key, write) in writes {
            assert!(base.contains_key(&key), "{key:?} is written and not named");
            match write {
                Write::Put(row) => {
                    assert!(row.value.len() < 16 * 1024);
                    assert!(row.expires_at > self.now);
                    self.rows.insert(key, row);
                }
                Write::Delete => drop(self.rows.remove(&key)),
            }
        }
        Ok(outcome)
    }

    /// Runs a step that only reads, and may name its rows in more rounds.
    pub(super) fn read<T: Transition>(&self, step: &T) -> T::Outcome {
        let mut base = BTreeMap::new();
        loop {
            let named = step.keys(&Rows::new(&base, self.now)).unwrap();
            if named.iter().all(|key| base.contains_key(key)) {
                return step.apply(&mut Rows::new(&base, self.now)).unwrap();
            }
            base = named
                .into_iter()
                .map(|key| (key.clone(), self.rows.get(&key).cloned()))
                .collect();
        }
    }

    pub(super) fn run<T: Transition>(&mut self, step: &T) -> T::Outcome {
        self.try_run(step).unwrap()
    }

    pub(super) fn send_limits(&self, number: &str, channel: Channel) -> SendLimits {
        let keys = SendKeys {
            number: keys::number(number),
            range: keys::limit(Limit::SendsPerRange, "prefix"),
            country: keys::limit(Limit::SendsPerCountry, "country"),
            known_country: keys::limit(Limit::KnownPerCountry, "country"),
            total: keys::limit(Limit::SendsTotal, "total"),
            end_user: caller("caller"),
            number_mark: 2 * number.bytes().fold(7, |mark, it| mark * 31 + u64::from(it)),
        };
        SendLimits {
            number: keys::number(number),
            checks: self.limits.of_send(&keys, channel),
            known_reserve: self.limits.known_reserve(&keys),
            destination: destination(),
            route: route(channel),
            is_allowed: false,
        }
    }

    pub(super) fn reserve_send(&self, session: &str, number: &str) -> ReserveSend {
        ReserveSend {
            page: None,
            new: new_session(session, number),
            limits: self.send_limits(number, Channel::Sms),
            claim: None,
            request_id: "a request".to_owned(),
            rules: self.rules.clone(),
        }
    }

    /// Reserves a send, which must be accepted.
    pub(super) fn reserved(&mut self, session: &str, number: &str) -> Arc<SendReservation> {
        let step = self.reserve_send(session, number);
        Arc::new(reserved(self.run(&step)))
    }

    pub(super) fn record_sent(
        &self,
        (session, number): (&str, &str),
        upstream: &str,
        reservation: &Arc<SendReservation>,
    ) -> RecordSent {
        RecordSent {
            new: new_session(session, number),
            upstream: plivo(upstream),
            reservation: reservation.clone(),
            rules: self.rules.clone(),
        }
    }

    /// Sends a code.
    pub(super) fn sent(&mut self, session: &str, number: &str, upstream: &str) {
        let reservation = self.reserved(session, number);
        let step = self.record_sent((session, number), upstream, &reservation);
        assert!(matches!(self.run(&step), Recorded::Sent { .. }));
    }

    pub(super) fn reserve_check(&self, session: &str) -> ReserveCheck {
        ReserveCheck {
            application: None,
            session: keys::session(session),
            wrong_per_number: self.limits.wrong_checks_per_number.clone(),
            checks: self.limits.of_check(&caller("caller")),
            claim: None,
            rules: self.rules.clone(),
        }
    }

    pub(super) fn settle(&self, check: &Arc<CheckReservation>, verdict: Verdict) -> SettleCheck {
        SettleCheck {
            reservation: check.clone(),
            verdict,
            proof: Some(Sealed(b"proof".to_vec())),
            destination: destination(),
            rules: self.rules.clone(),
        }
    }

    /// Checks a code.
    pub(super) fn check(&mut self, session: &str, verdict: Verdict) -> Reserved<Settlement> {
        let step = self.reserve_check(session);
        match self.run(&step) {
            Reserved::Reserved(check) => {
                let step = self.settle(&Arc::new(check), verdict);
                Reserved::Reserved(self.run(&step))
            }
            Reserved::Wait(wait) => Reserved::Wait(wait),
            Reserved::Over(over) => Reserved::Over(over),
            Reserved::Repeated(repetition) => Reserved::Repeated(repetition),
        }
    }

    pub(super) fn callback(&self, nonce: &str, upstream: &str, number: &str) -> RecordCallback {
        RecordCallback {
            nonce: keys::single_use(nonce),
            kept_for: Duration::from_hours(1),
            upstream: plivo(upstream),
            recipient: Some(CallbackRecipient {
                number: keys::number(number),
                destination: destination(),
            }),
            update: AttemptUpdate {
                index: 0,
                attempt: UpstreamAttempt {
                    channel: Channel::Sms,
                    status: countersign_shared::session::AttemptStatus::Sent,
                    reason: None,
                },
            },
            rules: self.rules.clone(),
        }
    }
}

pub(super) fn reserved<R: std::fmt::Debug>(outcome: Reserved<R>) -> R {
    match outcome {
        Reserved::Reserved(reservation) => reservation,
        other => panic!("{other:?}"),
    }
}

pub(super) fn new_session(session: &str, number: &str) -> NewSession {
    NewSession {
        key: keys::session(session),
        number: keys::number(number),
        contact: Sealed(number.as_bytes().to_vec()),
        channel: Channel::Sms,
        owner: owner(false),
        end_user: caller("caller"),
    }
}

/// The owner of every session here.
pub(super) fn owner(with_key: bool) -> Owner {
    let application = ApplicationId::parse("shop").unwrap();
    Owner {
        application,
        with_key,
    }
}

pub(super) fn plivo(upstream: &str) -> Upstream {
    Upstream {
        key: keys::upstream(upstream),
        id: Sealed(upstream.as_bytes().to_vec()),
    }
}

pub(super) fn destination() -> Destination {
    Destination {
        country: keys::conversion("country"),
        range: keys::conversion("range"),
        known: keys::conversion("known"),
    }
}

pub(super) fn route(channel: Channel) -> Route {
    Route {
        country: "US".to_owned(),
        channel,
    }
}

pub(super) fn caller(name: &str) -> EndUserKeys {
    EndUserKeys {
        address: Some(name.to_owned()),
        ..EndUserKeys::default()
    }
}

pub(super) fn claim(key: &str, body: &str) -> IdempotencyClaim {
    IdempotencyClaim {
        key: keys::idempotency(key),
        body: body.to_owned(),
        kept_for: Duration::from_mins(10),
        subject: Some(Sealed(b"subject".to_vec())),
        mismatch: Vec::new(),
    }
}

pub(super) fn quota(count: u64, seconds: u64) -> Quota {
    Quota {
        count: count.try_into().unwrap(),
        per: Duration::from_secs(seconds),
    }
}
