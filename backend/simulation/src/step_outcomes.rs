//! Invariants of the outcomes of steps.

use std::time::Duration;

use countersign_core::{
    DeliveryChange, Limit, LowConversion, Millis, Quota, Wait, transitions::CallbackOutcome,
};
use countersign_shared::session::AttemptStatus;
use countersign_store::StoreError;

use crate::{
    checker::Checker,
    outcome::{Answered, Outcome},
    request::{Phase, Request, Work},
};

impl Checker {
    pub(crate) fn step_ended(&mut self, request: &Request, answer: &Answered) {
        match answer {
            Err(StoreError::Unreachable) => self.in_doubt += 1,
            // The reservation stays: it is not recorded, settled or released.
            Err(StoreError::NotRun | StoreError::Rejected) if request.phase != Phase::Reserve => {
                self.in_doubt += 1;
            }
            Err(error @ (StoreError::Faulty | StoreError::Unreadable(_))) => {
                let phase = request.phase;
                self.require(false, || format!("{phase:?} of {}: {error}", request.id));
            }
            Ok(Outcome::Callback(outcome)) => self.called_back(request, outcome),
            Ok(Outcome::Attempts(recorded)) => {
                let arrived = arrivals(&recorded.changes);
                self.require(arrived == 0, || {
                    "an attempt that was sent arrived".to_owned()
                });
                if let Work::Watch(_, plivo, _) = &request.work {
                    self.attempts_polled(request.id, plivo, recorded.changes.len());
                }
            }
            Ok(Outcome::Charged(new)) => {
                if let Work::Watch(session, plivo, _) = &request.work {
                    let caller = self.sessions.caller_of(session);
                    let booked = self.charged.entry(plivo.clone()).or_default();
                    for it in new {
                        if it.channel.is_some() {
                            booked.0 += it.amount.0;
                        } else {
                            booked.1 += it.amount.0;
                            *self.validated_for.entry(caller).or_default() += it.amount.0;
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn called_back(&mut self, request: &Request, outcome: &CallbackOutcome) {
        let Work::Callback(callback) = &request.work else {
            return;
        };
        let CallbackOutcome::Recorded {
            changes,
            told: report,
            has_adopted,
        } = outcome
        else {
            return;
        };
        let plivo = format!("plivo{}", callback.plivo);
        self.turns.recorded(request.id, &plivo);
        let sent = self.calls.get(&callback.request).map(|it| it.number);
        if let Some(number) = sent.filter(|_| *has_adopted) {
            self.adopted(request.id, &plivo, number);
        }
        let is_first = self.nonces.insert(callback.nonce.clone()) || self.was_set;
        self.require(is_first, || format!("{} was taken twice", callback.nonce));
        let number = self.sessions.number_of_plivo(&plivo);
        let is_theirs = number.is_none_or(|it| Some(it) == sent) || self.was_set;
        self.require(is_theirs, || format!("{plivo} is of {number:?}"));
        let by = report.request_id.as_ref();
        let by = by.and_then(|by| by.strip_prefix("request")?.parse().ok());
        let by = by.and_then(|by: u64| self.calls.get(&by));
        let is_attributed = by.is_none_or(|by| Some(by.number) == sent);
        self.require(is_attributed || self.has_lied, || {
            format!("{plivo} was sent to {sent:?}, and {report:?}")
        });
        let attempt = (callback.plivo, callback.update.index);
        self.attempt_told(request.id, attempt, callback.update.attempt.status, report);
        for change in changes {
            let rank = rank(change.status);
            let known = self.ranks.entry((callback.plivo, callback.update.index));
            let known = known.or_default();
            let is_new = known.insert(rank) || self.was_set;
            self.require(is_new, || format!("{change:?} of {plivo} was told twice"));
        }
        let told = self.arrivals.entry((callback.plivo, callback.update.index));
        let told = told.or_default();
        *told += arrivals(changes);
        let is_once = *told <= 1 || self.was_set;
        self.require(is_once, || "an arrival was told twice".to_owned());
    }

    /// When the conversion breaker trips for the first time, every code known to be
    /// entered must have counted, and no more than the known sends.
    pub(crate) fn tripped(&mut self, request: &Request, low: &[LowConversion], now: Millis) {
        self.trip(low, now);
        let is_first = !self.has_tripped;
        self.has_tripped |= !low.is_empty();
        let is_exact = self.in_doubt == 0 && !self.was_set && self.released == 0;
        if !is_first || !is_exact || self.sends.has_known() {
            return;
        }
        let verified = self.sessions.verified_before(request.id);
        for rate in low.iter().filter_map(|it| it.tripped_by).map(|it| it.rate) {
            let is_counted = u64::from(rate.verified) >= verified;
            let is_sent = u64::from(rate.sends) <= self.sends.len() as u64;
            self.require(is_counted && is_sent, || {
                format!("{rate:?} tripped the breaker, and {verified} are verified")
            });
        }
    }

    /// No wait may be longer than its window, backoff or cooldown.
    pub(crate) fn waits(&mut self, request: &Request, wait: &Wait, now: Millis) {
        self.tripped(request, &wait.low_conversion, now);
        let limits = &self.limits;
        let quotas = match wait.limit {
            None => {
                let waits = self.rules.resend_waits.iter();
                return self.wait_is(wait, waits.max().copied());
            }
            Some(
                Limit::ConversionPerCountry | Limit::ConversionPerRange | Limit::ConversionOfKnown,
            ) => {
                let rule = self.rules.conversion;
                return self.wait_is(wait, rule.map(|rule| rule.max_cooldown()));
            }
            Some(Limit::SendsPerNumber) => &limits.sends_per_number,
            Some(Limit::VoicePerNumber) => &limits.voice_per_number,
            Some(Limit::WrongChecksPerNumber) => &limits.wrong_checks_per_number,
            Some(Limit::SendsPerAddress) => &limits.sends_per_address,
            Some(Limit::ChecksPerAddress) => &limits.checks_per_address,
            Some(Limit::NumbersPerAddress) => &limits.numbers_per_address,
            Some(Limit::SendsPerRange) => &limits.sends_per_range,
            Some(Limit::SendsPerCountry | Limit::KnownPerCountry) => &limits.sends_per_country,
            Some(Limit::SendsTotal) => &limits.sends_total,
            Some(Limit::Stopped) => {
                self.stopped(request);
                return self.wait_is(wait, Some(Duration::from_mins(30)));
            }
            Some(
                Limit::SendsPerUser | Limit::SendsWithoutAddress | Limit::ChecksWithoutAddress,
            ) => return self.wait_is(wait, None),
            Some(Limit::SendsPerApplication | Limit::ApplicationBudget) => {
                return self.wait_is(wait, Some(Duration::from_mins(25)));
            }
            Some(Limit::Budget) => return self.wait_is(wait, Some(Duration::from_hours(1))),
        };
        let longest = quotas.iter().map(|quota: &Quota| quota.per).max();
        self.wait_is(wait, longest);
    }

    fn wait_is(&mut self, wait: &Wait, longest: Option<Duration>) {
        let is_within = longest.is_some_and(|longest| wait.retry_after <= longest);
        self.require(is_within, || format!("{wait:?} is longer than {longest:?}"));
    }
}

/// The order of statuses.
pub(crate) fn rank(status: AttemptStatus) -> u8 {
    match status {
        AttemptStatus::Delivered => 3,
        AttemptStatus::Undelivered => 2,
        AttemptStatus::Sent => 1,
        AttemptStatus::Queued | AttemptStatus::Unknown => 0,
    }
}

fn arrivals(changes: &[DeliveryChange]) -> u32 {
    let arrived = changes
        .iter()
        .filter(|it| it.status == AttemptStatus::Delivered);
    u32::try_from(arrived.count()).unwrap_or_default()
}
