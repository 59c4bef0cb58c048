//! What becomes of a send once it is answered, or has not left; and of a right code.

use std::sync::Arc;

use countersign_core::{
    Answer, Sealed, Settlement, Verdict, keys,
    transitions::{
        CloseSend, RecordResent, RecordSent, Recorded, ReleaseSend, ReserveCheck,
        Reserved as Outcome, SettleCheck,
    },
};

use super::{Deliveries, LIFETIME, Send, name, steps::destination};
use crate::{
    border,
    history::accounts::{Delivery, State},
};

impl Deliveries<'_> {
    pub(super) fn resolve(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let index = self.random.index(self.pending.len());
        let send = self.pending.swap_remove(index);
        let (reservation, rules) = (send.reservation.clone(), self.rules.clone());
        let now = self.now();
        match (send.plivo, self.random.within(0..10)) {
            // Its answer is lost.
            (Some(_), 0..4) => {}
            (Some(plivo), _) => self.record(&send, plivo),
            (None, 0..7) => {
                self.service.run(&ReleaseSend { reservation, rules });
                if let Some(keyed) = &send.reserved.keyed
                    && !self.is_kept(&send)
                {
                    self.claims.free(keyed, now);
                }
                self.withdraw(&send);
            }
            (None, _) => {
                let answer = Answer::Sealed(Sealed(b"failed".to_vec()));
                self.service.run(&CloseSend {
                    reservation,
                    answer: send.reserved.keyed.as_ref().map(|_| answer.clone()),
                    may_retry: false,
                    rules,
                });
                if let Some(keyed) = &send.reserved.keyed
                    && !self.is_kept(&send)
                {
                    self.claims.replace(keyed, answer, now + LIFETIME);
                }
                self.withdraw(&send);
            }
        }
    }

    /// Whether a callback about another send has adopted it, and its session was verified
    /// or used up since.
    fn is_kept(&self, send: &Send) -> bool {
        let session = &self.sessions[send.reserved.session];
        let is_live = !session.is_gone && session.ends_at > self.now();
        let is_over = !matches!(session.state, State::Reserved | State::Pending);
        let is_it =
            |it: &Delivery| (it.channel, it.at) == (send.reserved.channel, send.reserved.at);
        is_live && is_over && session.deliveries.iter().any(is_it)
    }

    /// A send did not happen, whatever a callback about another one has adopted.
    pub(super) fn withdraw(&mut self, send: &Send) {
        let (index, at) = (send.reserved.session, send.reserved.at);
        let session = &mut self.sessions[index];
        let reserved = &mut self.reserved[session.number];
        reserved.retain(|it| (it.session, it.at) != (index, at));
        if session.is_gone || session.ends_at <= self.service.now().0 {
            return;
        }
        if matches!(session.state, State::Reserved | State::Pending) {
            let is_it = |it: &Delivery| (it.channel, it.at) == (send.reserved.channel, at);
            session.deliveries.retain(|it| !is_it(it));
        }
        session.is_unknown |= session.deliveries.is_empty();
    }

    pub(super) fn record(&mut self, send: &Send, plivo: usize) {
        let (now, rules) = (self.now(), self.rules.clone());
        let upstream = border::upstream(&name(plivo));
        let reservation = send.reservation.clone();
        let told = match send.new.clone() {
            Some(new) => self.service.run(&RecordSent {
                new,
                upstream,
                reservation,
                rules,
            }),
            None => self.service.run(&RecordResent {
                upstream,
                reservation,
                rules,
            }),
        };
        let reserved = &send.reserved;
        let session = self.sessions[reserved.session].clone();
        if send.new.is_none()
            && let Some(over) = session.over(now)
        {
            let known = self.known.get(&plivo).and_then(|it| it.number);
            if known.is_some_and(|it| it != session.number) {
                let is_right = matches!(told, Recorded::OtherRecipient);
                return self.require(is_right, || format!("{plivo} is another's: {told:?}"));
            }
            if let Some(keyed) = &reserved.keyed {
                let answer = Answer::Settled(Settlement::Over(over));
                self.claims.answer(keyed, answer, now);
            }
            let is_right = matches!(told, Recorded::Over(told) if told == over);
            return self.require(is_right, || format!("{told:?}, and not {over:?}"));
        }
        let mut session = session;
        // A callback may have adopted it. If its session has ended since, it begins anew.
        if session.state == State::Reserved || session.ends_at <= now || session.is_gone {
            session.state = State::Pending;
            session.ends_at = now + LIFETIME;
            session.deliveries.clear();
            session.plivo.clear();
            session.checks_left = self.rules.checks_per_session;
            (session.is_gone, session.is_unknown) = (false, false);
        }
        let mut deliveries = session.deliveries.iter();
        let is_adopted =
            deliveries.any(|it| (it.channel, it.at) == (reserved.channel, reserved.at));
        if !is_adopted || session.plivo != name(plivo) {
            let known = self.known(plivo);
            if known.number.is_some_and(|it| it != session.number) {
                self.expire();
                let is_right = matches!(told, Recorded::OtherRecipient);
                return self.require(is_right, || format!("{plivo} is another's: {told:?}"));
            }
            known.number = Some(session.number);
            known.asked_by(&reserved.request, known.recorded);
            known.recorded += 1;
        }
        self.saved(plivo);
        session.plivo = name(plivo);
        if !is_adopted {
            session.deliveries.push(Delivery {
                at: reserved.at,
                channel: reserved.channel,
                expected: None,
            });
        }
        let expected = session.sent(reserved.channel, reserved.next_at, now);
        let mut answers = vec![expected];
        if let Some(keyed) = &reserved.keyed {
            let kept = self.claims.answered(keyed, now);
            match kept {
                Some(Answer::Sent(kept)) => answers = vec![kept],
                Some(_) => {}
                None => self.claims.answer(keyed, Answer::Sent(expected), now),
            }
        }
        self.sessions[reserved.session] = session;
        let is_right = matches!(&told, Recorded::Sent { answer, .. } if answers.contains(answer));
        self.require(is_right, || format!("{told:?}, and not {answers:?}"));
    }

    /// The right code is entered.
    pub(super) fn verify(&mut self) {
        let Some(index) = self.sessions.len().checked_sub(1) else {
            return;
        };
        let index = index - self.random.index(self.sessions.len().min(3));
        let rules = self.rules.clone();
        let outcome = self.service.run(&ReserveCheck {
            session: keys::session(&self.sessions[index].name),
            application: None,
            wrong_per_number: Vec::new(),
            checks: Vec::new(),
            claim: None,
            rules: rules.clone(),
        });
        let Outcome::Reserved(reservation) = outcome else {
            return;
        };
        self.sessions[index].checks_left -= 1;
        let settled = self.service.run(&SettleCheck {
            reservation: Arc::new(reservation),
            verdict: Verdict::Accepted,
            proof: None,
            destination: destination(),
            rules,
        });
        let plivo: usize = self.sessions[index].plivo[5..].parse().unwrap_or_default();
        let is_first = !self.known(plivo).is_used;
        if is_first {
            self.saved(plivo).is_used = true;
            self.sessions[index].state = State::Verified;
        }
        let is_right = (settled == Settlement::Verified) == is_first;
        let known = self.known(plivo).clone();
        self.require(is_right, || format!("{settled:?} with {known:?}"));
    }
}
