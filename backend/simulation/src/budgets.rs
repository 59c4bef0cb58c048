//! Spending caps: what a send is told of them, and what they have counted.

use countersign_core::{
    Charges, LimitCheck, MicroDollars, Quota, Session, keys,
    transitions::{LimitUsed, SendReservation},
};

use crate::{
    expected::Next,
    settings::{CHARGE, PRICE, VALIDATION_CHARGE},
    world::World,
};

impl World {
    /// In a quiet moment, before anything was charged: the caps contain each send, and this
    /// one.
    pub(crate) fn check_what_is_spent(&mut self, next: Next, told: &SendReservation) {
        let checker = &self.checker;
        if !checker.charged.is_empty() {
            return;
        }
        let spent = |caps: &[Quota], of: Option<usize>| -> Vec<u64> {
            let used = |cap: &Quota| {
                let since = next.now.saturating_sub(cap.milliseconds());
                let uses = checker
                    .sends
                    .since(since, |it| of.is_none_or(|of| it.caller == of));
                PRICE * (uses.len() as u64 + 1)
            };
            caps.iter().map(used).collect()
        };
        let service = spent(&self.settings.budget.caps, None);
        let own = &self.settings.applications[next.caller].spend_caps;
        let own = spent(own, Some(next.caller));
        let told = [told.budget_used(), told.application_budget_used()];
        let is_right = told == [service.as_slice(), own.as_slice()];
        self.checker.require(is_right, || {
            format!("{told:?} are spent, and {service:?}, {own:?} should be")
        });
    }

    /// Charges that come after a session has ended are booked all the same, and once.
    pub(crate) fn check_late_charges(&mut self) {
        let (now, rows) = (self.clock_now(), self.store.rows());
        for plivo in 0..self.plivo.sessions.len() {
            let truth = &self.plivo.sessions[plivo];
            let (name, is_entered) = (truth.id.clone(), truth.is_verified);
            let attempts = truth.attempts.iter();
            let charges = Charges {
                attempts: attempts
                    .map(|it| (it.channel, MicroDollars(CHARGE)))
                    .collect(),
                validation: MicroDollars(if is_entered { VALIDATION_CHARGE } else { 0 }),
            };
            let bill = CHARGE * charges.attempts.len() as u64 + charges.validation.0;
            let key = keys::upstream(&name);
            if rows.get(&key).is_none_or(|row| row.expires_at <= now) {
                continue;
            }
            let step = self.settings.charges("none", 0, &key, charges);
            let booked = self.checker.charged.get(&name).copied().unwrap_or_default();
            let told = [0, 1].map(|_| -> u64 {
                let told = self.execute(&step);
                told.iter().map(|it| it.amount.0).sum()
            });
            let is_right = told == [bill.saturating_sub(booked.0 + booked.1), 0];
            let is_clear = self.checker.in_doubt == 0 && !self.checker.was_set;
            self.checker.require(is_right || !is_clear, || {
                format!("{told:?} are booked of {bill} for {name}, after {booked:?}")
            });
        }
    }

    /// At the end: the caps of each application contain what was sent and charged for it.
    pub(crate) fn check_the_own_budgets(&mut self) {
        for caller in 0..self.settings.callers {
            let own = self.settings.own_caps(caller);
            if let Some(caps) = own.filter(|_| self.checker.released == 0) {
                self.check_an_own_budget(caller, caps);
            }
        }
    }

    fn check_an_own_budget(&mut self, caller: usize, check: LimitCheck) {
        let names = self.checker.sessions.names();
        let names = names
            .iter()
            .filter(|it| self.checker.sessions.caller_of(it) == caller);
        let seen: Vec<Session> = names.filter_map(|name| self.view(name)).collect();
        let deliveries = seen.iter().flat_map(|it| &it.deliveries);
        let settled = deliveries.filter(|it| it.expected.is_none()).count() as u64;
        let sends = self.checker.sends.since(0, |it| it.caller == caller).len() as u64;
        let validated = self.checker.validated_for.get(&caller).copied();
        let rules = self.settings.rules.clone();
        let used = self.read(&LimitUsed { check, rules })[0];
        let booked = PRICE * sends - (PRICE - CHARGE) * settled + validated.unwrap_or_default();
        self.checker.require(used == booked, || {
            format!("{used} of {caller}'s budget is used, and {booked} should be")
        });
    }
}
