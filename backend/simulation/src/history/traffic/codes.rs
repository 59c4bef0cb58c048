//! What becomes of a code: it is recorded, never left, is adopted by a callback, is lost,
//! or is entered.

use std::{sync::Arc, time::Duration};

use countersign_core::{
    AttemptUpdate, Limit, NewSession, UpstreamAttempt, Verdict, keys,
    transitions::{
        CallbackRecipient, RecordCallback, RecordSent, ReleaseSend, ReserveCheck, Reserved,
        SendReservation, SettleCheck, Settlement,
    },
};
use countersign_shared::{Channel, session::AttemptStatus};

use super::{COUNTRIES, Code, Known, Traffic, destination, millis};
use crate::{border, history::breaker::Breaker};

impl Traffic<'_> {
    pub(super) fn sent(
        &mut self,
        range: usize,
        number: &str,
        session: String,
        new: &NewSession,
        reservation: SendReservation,
    ) {
        let code = Code {
            session,
            number: number.to_owned(),
            range,
            at: reservation.reserved_at().0,
            is_known: reservation.is_known(),
        };
        if let Some(known) = self.known.get_mut(number).filter(|_| code.is_known) {
            known.open += 1;
            known.until = known.at.min(code.at) + millis(self.rules.known_numbers_for);
        }
        if self.random.percent(20) {
            let by = self.random.within(0..3 * 60_000);
            self.service.pass(by);
            if self.random.percent(10) {
                self.set_the_clock();
            }
        }
        let (reservation, rules) = (Arc::new(reservation), self.rules.clone());
        match self.random.within(0..100) {
            // Its answer is lost.
            0..3 => {}
            3..9 => {
                // A callback would also adopt what is lost of a regular one's.
                let is_alone = number.contains("stranger");
                if is_alone && self.random.percent(70) && self.adopt(&code) {
                    self.count(&code, Breaker::sent);
                    let by = self.random.within(0..60_000);
                    self.service.pass(by);
                    self.count(&code, Breaker::unsent);
                }
                self.service.run(&ReleaseSend { reservation, rules });
                self.unknow(&code);
            }
            _ => {
                let upstream = border::upstream(&code.session);
                self.service.run(&RecordSent {
                    new: new.clone(),
                    upstream,
                    reservation,
                    rules,
                });
                self.count(&code, Breaker::sent);
                if self.random.percent(self.mood.entered[range]) {
                    let most = [1, 20_000, 90_000][self.random.index(3)];
                    let by = self.random.within(0..most);
                    self.service.pass(by);
                    self.enter(&code);
                } else {
                    self.codes.push(code);
                }
            }
        }
    }

    /// The known number gets a send back that never left, unless it was verified since.
    pub(super) fn unknow(&mut self, code: &Code) {
        let (now, kept_for) = (self.now(), millis(self.rules.known_numbers_for));
        let known = self.known.get_mut(&code.number).filter(|_| code.is_known);
        if let Some(known) = known.filter(|it| it.until > now) {
            if code.at > known.at {
                known.open -= 1;
            }
            known.until = known.at.min(now) + kept_for;
        }
    }

    /// A callback comes before the answer. Returns whether it adopts the send.
    pub(super) fn adopt(&mut self, code: &Code) -> bool {
        let step = RecordCallback {
            nonce: keys::single_use(&format!("nonce of {}", code.session)),
            kept_for: Duration::from_hours(1),
            upstream: border::upstream(&code.session),
            recipient: Some(CallbackRecipient {
                number: keys::number(&code.number),
                destination: destination(code.range),
            }),
            update: AttemptUpdate {
                index: 0,
                attempt: UpstreamAttempt {
                    channel: Channel::Sms,
                    status: AttemptStatus::Sent,
                    reason: None,
                },
            },
            rules: self.rules.clone(),
        };
        let outcome = self.service.run(&step);
        format!("{outcome:?}").contains("has_adopted: true")
    }

    pub(super) fn enter(&mut self, code: &Code) {
        let step = ReserveCheck {
            session: keys::session(&code.session),
            application: None,
            wrong_per_number: Vec::new(),
            checks: Vec::new(),
            claim: None,
            rules: self.rules.clone(),
        };
        let Reserved::Reserved(reservation) = self.service.run(&step) else {
            return;
        };
        let settled = self.service.run(&SettleCheck {
            reservation: Arc::new(reservation),
            verdict: Verdict::Accepted,
            proof: None,
            destination: destination(code.range),
            rules: self.rules.clone(),
        });
        if settled == Settlement::Verified {
            self.count(code, Breaker::entered);
            let (at, open) = (self.now(), 0);
            let until = at + millis(self.rules.known_numbers_for);
            self.known
                .insert(code.number.clone(), Known { at, until, open });
        }
    }

    /// Counts something for every destination of that code.
    pub(super) fn count(&mut self, code: &Code, count: fn(&mut Breaker, u64, u64)) {
        let (now, country) = (self.now(), COUNTRIES[code.range]);
        let places = if code.is_known {
            vec![(Limit::ConversionOfKnown, format!("known {country}"))]
        } else {
            vec![
                (Limit::ConversionPerCountry, country.to_owned()),
                (Limit::ConversionPerRange, format!("range {}", code.range)),
            ]
        };
        for (limit, name) in places {
            count(self.breaker(limit, &name), code.at, now);
        }
    }
}
