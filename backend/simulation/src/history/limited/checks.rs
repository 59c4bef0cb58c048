//! Checks.

use std::sync::Arc;

use countersign_core::{
    Answer, Destination, Limit, Millis, Repetition, Sealed, SessionOver, Settlement, Verdict, keys,
    transitions::{
        CheckReservation, KeepAnswer, ReleaseCheck, ReserveCheck, Reserved, SettleCheck,
    },
};

use super::{Limited, Pending, Taken};
use crate::{
    border,
    history::{
        accounts::{State, millis},
        claims::Keyed,
    },
};

/// A check that Plivo has yet to answer.
pub(super) struct Check {
    reservation: Arc<CheckReservation>,
    session: usize,
    plivo: String,
    at: u64,
    taken: Vec<Taken>,
    keyed: Option<Keyed>,
}

impl Limited<'_> {
    pub(super) fn check(&mut self) {
        if self.sessions.is_empty() {
            return self.send();
        }
        let is_late = self.random.percent(70);
        let among = if is_late {
            self.sessions.len().min(3)
        } else {
            self.sessions.len()
        };
        let index = self.sessions.len() - 1 - self.random.index(among);
        let session = self.sessions[index].clone();
        let caller = session.caller;
        let key = match self.random.within(0..20) {
            0 => None,
            1 => Some(self.random.index(self.quotas.end_users.len())),
            2 => Some(caller),
            _ => Some(caller).filter(|it| it % 2 == 1),
        };
        let keyed = self.keyed(
            &format!("check of {}", session.name),
            "",
            self.check_kept_for,
        );
        let limits = &self.quotas.limits;
        let (told, is_guarded) = self.service.run_guarded(&ReserveCheck {
            session: keys::session(&session.name),
            application: key.map(border::application_id),
            wrong_per_number: limits.wrong_checks_per_number.clone(),
            checks: limits.of_check(&self.quotas.end_users[caller]),
            claim: keyed.as_ref().map(|it| self.claim(it, caller)),
            rules: self.rules.clone(),
        });
        if !self.is_new(keyed.as_ref(), caller, &told) {
            // What may be a proof is answered again only once a replica has it.
            let may_be_proof = matches!(
                told,
                Reserved::Repeated(Repetition::Answered {
                    answer: Answer::Sealed(_),
                    ..
                })
            );
            return self.require(is_guarded || !may_be_proof, || {
                format!("{keyed:?} is unguarded")
            });
        }
        let now = self.now();
        let over = session.closed_to(key, now);
        let over = over.or((session.checks_left == 0).then_some(SessionOver::ChecksExhausted));
        if over.is_some() {
            let is_right = matches!(&told, Reserved::Over(told) if Some(*told) == over);
            return self.require(is_right, || {
                format!("{session:?} is {told:?}, and not {over:?}")
            });
        }
        let rules = self.rules.clone();
        self.numbers[session.number].backoff.read_at(&rules, now);
        let mut all: Vec<_> = self.quotas.of_wrong(session.number).into_iter().collect();
        all.extend(self.quotas.of_check(caller));
        let wait = match &told {
            Reserved::Wait(wait) => Some(wait),
            _ => None,
        };
        if !self.compare_a_wait(&all, 0, wait) {
            return;
        }
        let Reserved::Reserved(reservation) = told else {
            let is_right = wait.is_some();
            return self.require(is_right, || format!("a check is {told:?}"));
        };
        let taken = self.take(&all);
        self.sessions[index].checks_left -= 1;
        let left = (reservation.session().checks_left, session.checks_left - 1);
        self.require(left.0 == left.1, || {
            format!("{session:?} has {left:?} checks left")
        });
        if let Some(it) = &keyed {
            self.claims
                .claim(&it.key, &it.body, "", (now, now + it.kept_for));
        }
        let check = Check {
            plivo: border::opened(&reservation.upstream().id),
            reservation: Arc::new(reservation),
            session: index,
            at: now,
            taken,
            keyed,
        };
        let is_theirs = check.plivo == session.plivo;
        self.require(is_theirs, || {
            format!("{session:?} is checked with {}", check.plivo)
        });
        if self.random.percent(70) {
            self.resolve_check(&check);
        } else {
            self.pending.push(Pending::Check(check));
        }
    }

    pub(super) fn resolve_check(&mut self, check: &Check) {
        let (now, rules) = (self.now(), self.rules.clone());
        let reservation = check.reservation.clone();
        let number = self.sessions[check.session].number;
        match self.random.within(0..20) {
            0..3 => {
                self.service.run(&ReleaseCheck {
                    reservation,
                    rules: rules.clone(),
                });
                self.numbers[number].backoff.read_at(&rules, now);
                self.release(&check.taken);
                let session = &mut self.sessions[check.session];
                if session.over(now).is_none() {
                    session.checks_left += 1;
                    if session.state == State::Exhausted {
                        session.state = State::Pending;
                    }
                }
                if let Some(keyed) = &check.keyed {
                    self.claims.free(keyed, now);
                }
            }
            3 => {
                let Some(keyed) = &check.keyed else { return };
                let failed = Answer::Sealed(Sealed(b"failed".to_vec()));
                let caller = self.sessions[check.session].caller;
                self.service.run(&KeepAnswer {
                    claim: self.claim(keyed, caller),
                    claimed_at: Millis(check.at),
                    answer: failed.clone(),
                });
                self.claims.answer(keyed, failed, now);
            }
            4 => {}
            5..9 => self.settle(check, Verdict::Accepted),
            9 => self.settle(check, Verdict::CodeUsed),
            _ => self.settle(check, Verdict::Incorrect),
        }
    }

    fn settle(&mut self, check: &Check, verdict: Verdict) {
        let (now, rules) = (self.now(), self.rules.clone());
        let is_right = verdict == Verdict::Accepted;
        let proof = Sealed(format!("proof{}", self.name()).into_bytes());
        let told = self.service.run(&SettleCheck {
            reservation: check.reservation.clone(),
            verdict,
            proof: is_right.then(|| proof.clone()),
            destination: Destination {
                country: keys::conversion("country"),
                range: keys::conversion("range"),
                known: keys::conversion("known"),
            },
            rules: rules.clone(),
        });
        let number = self.sessions[check.session].number;
        if is_right {
            self.numbers[number].backoff.read_at(&rules, now);
            let mut wrong = check.taken.clone();
            wrong.retain(|it| it.0 == Limit::WrongChecksPerNumber);
            self.release(&wrong);
        }
        let session = &self.sessions[check.session];
        let (left, name) = (session.checks_left, session.name.clone());
        let expected = if let Some(over) = session.over(now) {
            Settlement::Over(over)
        } else if session.state == State::Verified {
            Settlement::Over(SessionOver::AlreadyVerified)
        } else if is_right && self.use_code(&check.plivo) {
            self.sessions[check.session].state = State::Verified;
            if let Some(kept_for) = rules.known_numbers_for {
                self.numbers[number].known = Some((now, now + millis(kept_for), 0));
            }
            Settlement::Verified
        } else {
            if left == 0 {
                self.sessions[check.session].state = State::Exhausted;
            }
            match verdict {
                Verdict::Incorrect => Settlement::Incorrect { checks_left: left },
                _ => Settlement::CodeUsed,
            }
        };
        self.require(told == expected, || {
            format!("{name}: {verdict:?} is {told:?}, and not {expected:?}")
        });
        let answer = match expected {
            Settlement::Verified => Answer::Sealed(proof),
            other => Answer::Settled(other),
        };
        if let Some(keyed) = &check.keyed {
            self.claims.answer(keyed, answer, now);
        }
    }
}
