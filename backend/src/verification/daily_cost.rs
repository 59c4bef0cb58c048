//! Cost per verified number by country and day: a metric during the day, and a log line at
//! its end.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use countersign_core::{CountryCode, MicroDollars};
use countersign_metrics::Metrics;

const DAY: Duration = Duration::from_hours(24);

/// A country's cost and verified numbers on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    expected: u64,
    charged: u64,
    verified: u64,
}

impl Tally {
    /// The amount charged, or expected if that is more, because charges arrive late.
    fn spent(self) -> u64 {
        self.expected.max(self.charged)
    }

    /// Without a verified number, the whole cost.
    fn per_verified(self) -> u64 {
        self.spent() / self.verified.max(1)
    }
}

/// The tallies of one day, by UTC, of this instance.
#[derive(Default)]
pub(super) struct DailyCost(Mutex<Day>);

#[derive(Default)]
struct Day {
    number: u64,
    tallies: HashMap<CountryCode, Tally>,
}

/// What happened to a country's tally.
#[derive(Clone, Copy)]
pub(super) enum Cost {
    /// A code went out that is expected to cost so much.
    Expected(MicroDollars),
    /// Plivo charged so much more.
    Charged(MicroDollars),
    /// A number was verified.
    Verified,
}

impl DailyCost {
    /// Adds to the tally and updates the metric.
    pub(super) fn note(&self, metrics: &Metrics, country: CountryCode, cost: Cost) {
        let mut day = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = day.tallies.entry(country).or_default();
        match cost {
            Cost::Expected(price) => tally.expected = tally.expected.saturating_add(price.0),
            Cost::Charged(amount) => tally.charged = tally.charged.saturating_add(amount.0),
            Cost::Verified => tally.verified += 1,
        }
        metrics.cost_per_verified(country, MicroDollars(tally.per_verified()));
    }

    /// Logs a finished day and begins the next.
    pub(super) fn report(&self, metrics: &Metrics, now: SystemTime) {
        for (country, tally) in self.turn(now) {
            let spent = MicroDollars(tally.spent());
            let per_verified = MicroDollars(tally.per_verified());
            log::info!(
                event = "spend.daily",
                country:% = country, spent:% = spent, verified = tally.verified,
                per_verified:% = per_verified;
                "what the day cost"
            );
            metrics.cost_per_verified(country, MicroDollars(0));
        }
    }

    /// The finished day's tallies by country.
    fn turn(&self, now: SystemTime) -> Vec<(CountryCode, Tally)> {
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let today = since.as_secs() / DAY.as_secs();
        let mut day = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if day.number == today {
            return Vec::new();
        }
        let is_first = day.number == 0;
        day.number = today;
        if is_first {
            // The process has just started: the counts are of today.
            return Vec::new();
        }
        let mut tallies: Vec<_> = day.tallies.drain().collect();
        tallies.sort_by_key(|(country, _)| country.to_string());
        tallies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_told_once_it_is_over_and_begins_anew() {
        let (cost, metrics) = (DailyCost::default(), Metrics::default());
        let (us, gb) = (CountryCode::of("US"), CountryCode::of("GB"));
        let day = |number: u64| SystemTime::UNIX_EPOCH + DAY * u32::try_from(number).unwrap();
        assert_eq!(cost.turn(day(20_000)), []);
        for _ in 0..4 {
            cost.note(&metrics, us, Cost::Expected(MicroDollars(9_000)));
        }
        cost.note(&metrics, us, Cost::Charged(MicroDollars(8_000)));
        cost.note(&metrics, us, Cost::Verified);
        cost.note(&metrics, us, Cost::Verified);
        cost.note(&metrics, gb, Cost::Charged(MicroDollars(50_000)));
        let line = "countersign_cost_per_verified_microdollars{country=\"US\"} 18000";
        assert!(metrics.text().contains(line));
        assert_eq!(cost.turn(day(20_000) + DAY / 2), []);
        let told = cost.turn(day(20_001));
        let per_verified: Vec<_> = told
            .iter()
            .map(|(country, it)| (*country, it.per_verified()))
            .collect();
        assert_eq!(per_verified, [(gb, 50_000), (us, 18_000)]);
        assert_eq!(cost.turn(day(20_002)), []);
    }
}
