//! If no outcome is unknown, every limit has counted exactly what was used: sends that
//! never left and checks of the right code are refunded.

use countersign_core::{Limit, LimitCheck, Use, transitions::LimitUsed};
use countersign_shared::Channel;

use crate::{
    border::number_key,
    usage::{self, OneUse, Usage},
    world::World,
};

impl World {
    pub(crate) fn check_the_counts(&mut self) {
        for number in 0..self.settings.numbers {
            for caller in 0..self.settings.callers {
                let step = self
                    .settings
                    .send("probe", (number, caller), Channel::Voice, None);
                for check in step.limits.checks {
                    self.check_a_count(&check, (number, caller));
                }
                let step = self.settings.check("probe", caller, None);
                for check in step.checks {
                    self.check_a_count(&check, (number, caller));
                }
                let wrong = LimitCheck {
                    limit: Limit::WrongChecksPerNumber,
                    row: number_key(number),
                    quotas: self.settings.limits.wrong_checks_per_number.clone(),
                    used: Use::Amount(1),
                };
                self.check_a_count(&wrong, (number, caller));
            }
        }
    }

    /// What is reserved for known numbers is used only once their country's limit is full.
    pub(crate) fn check_the_reserve(&mut self) {
        let Some(quota) = self.settings.limits.sends_per_country.first().copied() else {
            return;
        };
        let used = [Limit::SendsPerCountry, Limit::KnownPerCountry].map(|limit| {
            let check = LimitCheck {
                limit,
                row: countersign_core::keys::limit(limit, "country"),
                quotas: vec![quota],
                used: Use::Amount(1),
            };
            let rules = self.settings.rules.clone();
            self.read(&LimitUsed { check, rules })[0]
        });
        let since = self.clock_now().0.saturating_sub(quota.milliseconds());
        let sends = self.checker.sends.since(since, |_| true).len() as u64;
        let is_needed = sends > quota.count.get() || self.checker.released > 0;
        let is_right = used[0] + used[1] == sends && (used[1] == 0 || is_needed);
        self.checker.require(is_right, || {
            format!("{used:?} of {quota:?} are used, and {sends} were sent")
        });
    }

    fn check_a_count(&mut self, check: &LimitCheck, (number, caller): (usize, usize)) {
        let of_number = |it: &OneUse| it.number == number;
        let of_caller = |it: &OneUse| it.caller == caller;
        let checker = &self.checker;
        let is_of_number = matches!(
            check.limit,
            Limit::SendsPerNumber | Limit::VoicePerNumber | Limit::WrongChecksPerNumber
        );
        let is_freed = is_of_number && checker.operator.has_freed(number);
        let now = self.clock_now().0;
        let within = |usage: &Usage, which: &dyn Fn(&OneUse) -> bool| {
            let quota = check.quotas.first();
            let length = quota.map_or(0, countersign_core::Quota::milliseconds);
            usage.since(now.saturating_sub(length), which)
        };
        // A request with another body under a key counts as a check by its caller.
        let mut more = 0;
        let expected = match check.limit {
            Limit::SendsPerNumber => within(&checker.sends, &of_number),
            Limit::VoicePerNumber => within(&checker.sends, &|it| of_number(it) && it.is_call),
            Limit::SendsPerAddress | Limit::NumbersPerAddress | Limit::SendsPerApplication => {
                within(&checker.sends, &of_caller)
            }
            Limit::SendsPerRange => within(&checker.sends, &|it| !it.is_known),
            // Some sends to known numbers count in the reserve for them.
            Limit::SendsPerCountry if checker.sends.has_known() => return,
            Limit::SendsPerCountry | Limit::SendsTotal => within(&checker.sends, &|_| true),
            Limit::ChecksPerAddress => {
                more = checker.answers.reused;
                let mut checks = within(&checker.checks, &of_caller);
                checks.extend(within(&checker.mismatches, &of_caller));
                checks
            }
            Limit::WrongChecksPerNumber => within(&checker.wrong, &of_number),
            _ => return,
        };
        let mut expected = expected;
        if is_freed {
            // What was used since then counts for sure.
            let before = expected.iter().filter(|it| it.is_freed).count() as u64;
            expected.retain(|it| !it.is_freed);
            more += before;
        }
        let expected = match check.used {
            Use::Distinct(_) => usage::numbers(&expected),
            Use::Amount(_) => usage::count(&expected),
        };
        // Of two concurrent uses of one item, the later records the earlier: if both are
        // refunded, the earlier still counts.
        if let Use::Distinct(_) = check.used {
            more = self.settings.numbers as u64;
        }
        let step = LimitUsed {
            check: check.clone(),
            rules: self.settings.rules.clone(),
        };
        let used = self.read(&step).first().copied().unwrap_or(expected);
        let most = match check.used {
            Use::Distinct(_) => more,
            Use::Amount(_) => expected + more,
        };
        let is_counted = (expected..=most).contains(&used);
        self.checker.require(is_counted, || {
            format!("{:?} counts {used}, and {expected} were used", check.limit)
        });
    }
}
