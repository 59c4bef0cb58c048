//! What a breaker that has tripped does to a send: for how long, and for whom.

use countersign_core::{Limit, LowConversion, Wait};

use crate::{
    expected::{Moments, Next},
    world::World,
};

impl World {
    /// In a quiet moment: a breaker stays open for its cooldown, and only where that is
    /// enforced.
    pub(crate) fn check_a_cooldown(&mut self, wait: &Wait, now: u64) {
        let Some(limit @ (Limit::ConversionPerCountry | Limit::ConversionPerRange)) = wait.limit
        else {
            return;
        };
        let Some(rule) = self.settings.rules.conversion else {
            return self.checker.violations.push(format!("{wait:?}"));
        };
        let cooldown = |times: u32| {
            let times = times.saturating_sub(1);
            u64::try_from(rule.cooldown.as_millis()).unwrap_or(u64::MAX) * 2_u64.pow(times)
        };
        let is_of_it = |it: &&LowConversion| it.limit == limit && it.tripped_by.is_some();
        let trips_now = wait.low_conversion.iter().find(is_of_it).is_some();
        let trip = self.checker.trips.get(limit.as_str()).copied();
        let told = now + u64::try_from(wait.retry_after.as_millis()).unwrap_or(u64::MAX);
        let is_right = match (trip, trips_now) {
            (None, true) => told == now + cooldown(1),
            // It may have passed a judgement in between.
            (Some(trip), true) => told <= now + cooldown(trip.times + 1),
            (Some(trip), false) if trip.times == 1 => {
                (trip.from + cooldown(1)..=trip.to + cooldown(1)).contains(&told)
            }
            (Some(trip), false) => told <= trip.to + cooldown(trip.times),
            (None, false) => false,
        };
        self.checker.require(rule.enforced && is_right, || {
            format!("{wait:?} at {now}, after {trip:?}")
        });
    }

    /// The moments if the number is not exempt because too few codes of known numbers are
    /// entered.
    pub(crate) fn unless_exempt(
        &self,
        moments: &Moments,
        wait: &Wait,
        send: Option<Next>,
    ) -> Moments {
        let is_of_known = |it: &LowConversion| it.limit == Limit::ConversionOfKnown;
        let is_low = wait.low_conversion.iter().any(is_of_known);
        let Some(next) = send.filter(|_| is_low) else {
            return moments.clone();
        };
        let next = Next {
            is_known: None,
            ..next
        };
        let mut without = self.checker.room_for_send(&self.settings, next, false);
        without.retain(|(limit, _)| moments.iter().any(|(of, _)| of == limit));
        without
    }

    /// Known numbers are exempt, except where too few of their codes are entered and that
    /// is enforced. An allowed number always is, and is not judged.
    pub(crate) fn check_an_exemption(&mut self, next: Next, told: bool, low: &[LowConversion]) {
        let is_enforced = self.settings.rules.conversion.is_some_and(|it| it.enforced);
        let is_low = low.iter().any(|it| it.limit == Limit::ConversionOfKnown);
        let is_right = if self.checker.operator.allows(next.number) {
            told && low.is_empty()
        } else if is_low {
            told != is_enforced
        } else {
            true
        };
        self.checker.require(is_right, || {
            format!("{} is exempt: {told}, with {low:?}", next.number)
        });
    }
}
