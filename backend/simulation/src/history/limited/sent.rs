//! What becomes of a send once Plivo has answered, or has not.

use countersign_core::{
    Answer, Millis, Sealed, Settlement, UpstreamOutcome,
    transitions::{CloseSend, KeepAnswer, RecordResent, RecordSent, Recorded, ReleaseSend},
};

use super::{Limited, sends::Send};
use crate::{
    border,
    history::accounts::{Delivery, State, millis},
};

impl Limited<'_> {
    pub(super) fn resolve_send(&mut self, send: &Send) {
        let (reservation, rules) = (send.reservation.clone(), self.rules.clone());
        let now = self.now();
        let failed = Answer::Sealed(Sealed(b"failed".to_vec()));
        match self.random.within(0..20) {
            0..3 => {
                self.service.run(&ReleaseSend { reservation, rules });
                self.take_back(send);
                if let Some(keyed) = &send.keyed {
                    self.claims.free(keyed, now);
                }
                self.withdraw(send);
            }
            3 => {
                let outcome =
                    [UpstreamOutcome::Throttled, UpstreamOutcome::Refused][self.random.index(2)];
                self.service.run(&CloseSend {
                    reservation,
                    answer: send.keyed.as_ref().map(|_| failed.clone()),
                    may_retry: outcome.is_temporary(),
                    rules: rules.clone(),
                });
                self.numbers[self.sessions[send.session].number]
                    .backoff
                    .read_at(&rules, now);
                match &send.keyed {
                    Some(keyed) if outcome == UpstreamOutcome::Throttled => {
                        self.claims.free(keyed, now);
                    }
                    Some(keyed) => {
                        self.claims.expire(now);
                        if self.claims.is_of(keyed) {
                            self.claims.answer(keyed, failed, now);
                        }
                    }
                    None => {}
                }
                self.withdraw(send);
            }
            4 => {
                let Some(keyed) = &send.keyed else { return };
                let caller = self.sessions[send.session].caller;
                self.service.run(&KeepAnswer {
                    claim: self.claim(keyed, caller),
                    claimed_at: Millis(send.at),
                    answer: failed.clone(),
                });
                self.claims.answer(keyed, failed, now);
            }
            5 => {}
            _ => self.record(send),
        }
    }

    /// A session whose only send did not happen is gone.
    fn withdraw(&mut self, send: &Send) {
        let session = &mut self.sessions[send.session];
        let reserved = &mut self.numbers[session.number].reserved;
        reserved.retain(|it| *it != (send.session, send.at));
        session.is_unknown |= session.deliveries.is_empty();
    }

    /// What a send that never left has used is given back.
    fn take_back(&mut self, send: &Send) {
        let (now, rules) = (self.now(), self.rules.clone());
        self.release(&send.taken);
        let number = &mut self.numbers[self.sessions[send.session].number];
        number.backoff.read_at(&rules, now);
        let is_freed = number.freed_at.is_some_and(|it| it >= send.at);
        if number.backoff == send.before.after(send.at) && !is_freed {
            number.backoff = send.before;
        }
        let known_for = rules.known_numbers_for.map_or(0, millis);
        if let Some(it) = number
            .known
            .as_mut()
            .filter(|it| send.is_known && it.1 > now)
        {
            let less = u32::from(send.at > it.0);
            *it = (it.0, it.0.min(now) + known_for, it.2.saturating_sub(less));
        }
    }

    fn record(&mut self, send: &Send) {
        let (now, rules) = (self.now(), self.rules.clone());
        let number = self.sessions[send.session].number;
        if self.numbers[number].plivo.is_empty() || self.random.percent(30) {
            self.numbers[number].plivo = format!("plivo{}", self.name());
        }
        let plivo = self.numbers[number].plivo.clone();
        self.sent_by_plivo(&plivo, send.channel);
        let (upstream, reservation) = (border::upstream(&plivo), send.reservation.clone());
        let recorded = match send.new.clone() {
            Some(new) => self.service.run(&RecordSent {
                new,
                upstream,
                reservation,
                rules: rules.clone(),
            }),
            None => self.service.run(&RecordResent {
                upstream,
                reservation,
                rules: rules.clone(),
            }),
        };
        let session = &mut self.sessions[send.session];
        if session.state == State::Reserved && send.new.is_some() {
            session.ends_at = now + millis(rules.session_lifetime);
            session.state = State::Pending;
            (session.is_gone, session.is_unknown) = (false, false);
        } else if let Some(over) = session.over(now) {
            if let Some(keyed) = &send.keyed {
                self.claims
                    .answer(keyed, Answer::Settled(Settlement::Over(over)), now);
            }
            let is_right = matches!(recorded, Recorded::Over(told) if told == over);
            return self.require(is_right, || format!("{recorded:?}, and not {over:?}"));
        }
        session.plivo.clone_from(&plivo);
        session.deliveries.push(Delivery {
            at: send.at,
            channel: send.channel,
            expected: Some(send.expected),
        });
        let answer = session.sent(send.channel, send.next_at, now);
        self.saved(&plivo);
        if let Some(keyed) = &send.keyed {
            self.claims.answer(keyed, Answer::Sent(answer), now);
        }
        let expected = answer;
        let is_right = matches!(&recorded, Recorded::Sent { answer, .. } if *answer == expected);
        self.require(is_right, || format!("{recorded:?}, and not {expected:?}"));
    }
}
