//! Final invariants, once nothing is in progress; among them, that no user is locked out.

use std::{collections::BTreeMap, time::Duration};

use countersign_core::{
    Answer, Millis, Quota, Repetition, Session, Transition, keys,
    transitions::{Reserved, ViewSession},
};
use countersign_platform::clock::Clock;
use countersign_shared::{Channel, session::SessionStatus};

use crate::{
    border::opened,
    request::{Asked, Callback, Kind},
    settings::{CHARGE, Faults, PRICE},
    usage,
    world::World,
};

impl World {
    pub(crate) fn clock_now(&self) -> Millis {
        self.clock.now().into()
    }

    pub(crate) fn view(&self, session: &str) -> Option<Session> {
        let view = ViewSession {
            session: keys::session(session),
        };
        self.read(&view).ok()
    }

    /// After an accepted callback about a recent send, its session must be live.
    pub(crate) fn check_adoption(&mut self, callback: &Callback) {
        let Some(asked) = self.checker.calls.get(&callback.request).cloned() else {
            return;
        };
        let plivo = &self.plivo.sessions[callback.plivo];
        let is_clear = !self.checker.has_lied
            && !self.checker.was_set
            && !self.checker.operator.has_forgotten(asked.number);
        let is_few = self.checker.sends.of_number(asked.number) <= 8;
        let reserved = self.checker.reserved_at(callback.request);
        let ends = reserved.map(|at| Millis(at).after(self.settings.rules.session_lifetime));
        let is_of_now = ends.is_some_and(|ends| ends > self.clock_now());
        if !(matches!(asked.kind, Kind::Send(_)) && is_clear && is_few && is_of_now)
            || plivo.is_verified
            || plivo.is_over(self.elapsed)
        {
            return;
        }
        let is_live = self.view(&asked.session).is_some();
        let name = asked.session;
        self.checker
            .require(is_live, || format!("{name} was sent and is not adopted"));
    }

    /// If a request under a key had its effect, a repetition must find the answer.
    pub(crate) fn probe(&mut self, asked: &Asked) {
        let Some(keyed) = &asked.keyed else { return };
        let is_clear = !self.checker.answers.is_mismatched(&keyed.name)
            && !self.checker.claims.is_free(&keyed.name);
        if !is_clear || self.checker.was_set {
            return;
        }
        let claimed_at = self
            .checker
            .claimed_at
            .get(&keyed.name)
            .copied()
            .map(Millis);
        let age = claimed_at.map(|at| at.until(self.clock_now()));
        if age.is_some_and(|age| age >= self.checker.kept_for(asked)) {
            return;
        }
        let Some(session) = self.view(&asked.session) else {
            return;
        };
        let pair = (asked.number, asked.caller);
        let found = match asked.kind {
            Kind::Send(channel) => {
                let mut deliveries = session.deliveries.iter();
                if !deliveries
                    .any(|it| (it.channel, Some(it.requested_at)) == (channel, claimed_at))
                {
                    // It was withdrawn, and a resend goes on with its session.
                    return;
                }
                let step = self.settings.send("probe", pair, channel, Some(keyed));
                self.answer_found(&step)
            }
            Kind::Resend(_) => return,
            Kind::Check(_) => {
                let step = self
                    .settings
                    .check(&asked.session, asked.caller, Some(keyed));
                let found = self.answer_found(&step);
                if let Some(Answer::Sealed(sealed)) = &found
                    && opened(sealed).starts_with("proof")
                {
                    self.checker.proof(asked, &opened(sealed));
                    return;
                }
                let is_ours = session.status == SessionStatus::Verified
                    && !self.checker.answers.has_proof(&asked.session)
                    && self.checker.is_only_accepted(asked);
                if !is_ours {
                    return;
                }
                found
            }
        };
        let is_found = matches!(
            (&found, asked.kind),
            (Some(Answer::Sent(_)), Kind::Send(_)) | (Some(Answer::Sealed(_)), Kind::Check(_))
        );
        let name = keyed.name.clone();
        self.checker.require(is_found, || {
            format!("{name} had its effect, and has {found:?}")
        });
    }

    fn answer_found<T, R>(&self, step: &T) -> Option<Answer>
    where
        T: Transition<Outcome = Reserved<R>>,
    {
        match self.read(step) {
            Reserved::Repeated(Repetition::Answered { answer, .. }) => Some(answer),
            _ => None,
        }
    }

    /// Checks the invariants that hold once nothing is in progress.
    pub(crate) fn check_the_end(&mut self) {
        let waiting = self.requests.len();
        self.checker
            .require(waiting == 0, || format!("{waiting} requests never ended"));
        self.check_limits();
        self.check_the_deliveries();
        self.check_a_quiet_moment();
        let attempts: BTreeMap<String, u64> = self
            .plivo
            .sessions
            .iter()
            .map(|it| (it.id.clone(), it.attempts.len() as u64))
            .collect();
        self.checker.check_charges(&attempts);
        let is_exact = self.checker.in_doubt == 0 && !self.checker.was_set;
        if is_exact {
            self.check_the_conversion();
        }
        if is_exact && !self.checker.has_lied && self.elapsed < self.settings.rules.session_lifetime
        {
            if !self.checker.operator.has_forgotten_any() {
                self.check_the_books();
                self.check_the_own_budgets();
            }
            self.check_the_counts();
            self.check_the_reserve();
        }
        self.check_that_turns_are_free();
        let ended_at = self.clock_now();
        self.check_what_follows();
        self.check_late_charges();
        self.check_that_waits_are_kept(ended_at);
        self.check_what_is_freed();
        self.check_what_is_beside();
        self.check_that_nobody_is_stuck();
    }

    /// Whatever was used stops counting at its time.
    fn check_what_follows(&mut self) {
        for longest in [10_000, 100_000, 1_000_000, 3_600_000] {
            let by = self.random.millis(0..longest);
            self.pass(by);
            self.check_a_quiet_moment();
        }
    }

    fn check_limits(&mut self) {
        let (limits, checker) = (&self.settings.limits, &self.checker);
        let sends = &checker.sends;
        let mut exceeded = Vec::new();
        for number in 0..self.settings.numbers {
            let of_number = |it: &usage::OneUse| it.number == number && !it.is_freed;
            let calls = |it: &usage::OneUse| of_number(it) && it.is_call;
            let count = usage::count;
            exceeded.push(sends.exceeded(&limits.sends_per_number, of_number, count));
            exceeded.push(sends.exceeded(&limits.voice_per_number, calls, count));
            let quotas = &limits.wrong_checks_per_number;
            exceeded.push(checker.wrong.exceeded(quotas, of_number, count));
        }
        for caller in 0..self.settings.callers {
            let of_caller = |it: &usage::OneUse| it.caller == caller;
            let (count, numbers) = (usage::count, usage::numbers);
            exceeded.push(sends.exceeded(&limits.sends_per_address, of_caller, count));
            exceeded.push(sends.exceeded(&limits.numbers_per_address, of_caller, numbers));
            let application = &self.settings.applications[caller];
            exceeded.push(sends.exceeded(&application.sends, of_caller, count));
            let quotas = &limits.checks_per_address;
            exceeded.push(checker.checks.exceeded(quotas, of_caller, count));
        }
        let is_charged = !checker.charged.is_empty();
        let price = if is_charged { CHARGE } else { PRICE };
        let strangers = |it: &usage::OneUse| !it.is_known;
        for quotas in [&limits.sends_per_range, &limits.sends_per_country] {
            exceeded.push(sends.exceeded(quotas, strangers, usage::count));
        }
        let with_reserve: Vec<Quota> = limits.sends_per_country.iter().map(more_by_half).collect();
        exceeded.push(sends.exceeded(&with_reserve, |_| true, usage::count));
        exceeded.push(sends.exceeded(&limits.sends_total, |_| true, usage::count));
        let caps = &self.settings.budget.caps;
        exceeded.push(sends.exceeded(caps, |_| true, |uses| usage::count(uses) * price));
        if !checker.was_set && !checker.rules.verified_owes_no_wait {
            let shortest = self.settings.rules.wait_after(1);
            let shortest = u64::try_from(shortest.as_millis()).unwrap_or_default();
            exceeded.push(sends.too_close(shortest));
        }
        let exceeded = exceeded
            .into_iter()
            .flatten()
            .map(|it| format!("exceeded: {it}"));
        self.checker.violations.extend(exceeded);
    }

    /// Without faults and once every window has passed, anybody who requests a code and
    /// enters it must be verified.
    fn check_that_nobody_is_stuck(&mut self) {
        self.settings.faults = Faults::none();
        // A late one would come after a short session has ended.
        self.settings.faults.callback_lost = 100;
        self.start_everything();
        self.pass(Duration::from_hours(25));
        for number in 0..self.settings.numbers {
            let session = format!("last{number}");
            let asked = |kind| Asked {
                person: 0,
                caller: number % self.settings.callers,
                number,
                session: session.clone(),
                keyed: None,
                kind,
            };
            let (send, check) = (asked(Kind::Send(Channel::Sms)), asked(Kind::Check(0)));
            self.begin(send);
            self.run();
            let code = self.plivo.last_code(number).unwrap_or_default();
            let kind = Kind::Check(code);
            self.begin(Asked { kind, ..check });
            self.run();
            let status = self.view(&session).map(|it| it.status);
            let is_verified = status == Some(SessionStatus::Verified);
            self.checker
                .require(is_verified, || format!("{session} is stuck: {status:?}"));
            self.pass(Duration::from_hours(25));
        }
    }
}

/// The quota for unknown numbers, plus half as much for known ones.
fn more_by_half(quota: &Quota) -> Quota {
    let count = quota.count.get();
    Quota {
        count: quota.count.saturating_add(count / 2),
        ..*quota
    }
}
