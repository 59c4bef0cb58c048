//! Conversion breaker: counts how many of the codes sent to a destination are entered,
//! and stops sends if too few are.
//!
//! A destination is a country or a range of numbers. Its sends are counted in buckets of
//! two minutes for the last hour, by the hour for the last day and by the day for the
//! last week, each with the number of those that ended verified. A bucket counts in full
//! once its newest send is older than the grace period; until then only its verified
//! sends count. So a code can be entered late, but a send never counts as failed while it
//! is young.
//!
//! The last hour is judged, and the last day, which catches slow attacks. Too few is less
//! than the floor, or less than half of the rate on the country's best day of the
//! previous week, by more than chance explains. The best day, so that a slow attack does
//! not become the usual rate. Then the breaker trips: its counts are reset, and sends are
//! not counted until it closes again. After that half as many sends are enough to trip it
//! again, for twice as long, until the destination has passed a full judgement.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::buckets::{Bucket, Buckets};
pub(crate) use self::rate::Usual;
pub use self::{rate::ConversionRate, rule::ConversionRule};
use crate::{Key, Limit, Millis, Row};

mod buckets;
mod rate;
mod rule;
#[cfg(test)]
mod tests;
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);
/// Lengths of the buckets in milliseconds, for the last hour, the last day and the last
/// week.
const BUCKET: u64 = 120_000;
const HOUR_BUCKET: u64 = 3_600_000;
const DAY_BUCKET: u64 = 24 * HOUR_BUCKET;
/// Minimum number of sends in a day for its rate to count as usual.
const MIN_USUAL: u32 = 30;
/// The conversion rows of a number's country and range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The row of the country.
    pub country: Key,
    /// The row of the range.
    pub range: Key,
    /// The row of the country's known numbers.
    pub known: Key,
}

impl Destination {
    /// The rows that unknown numbers are judged by, the country first: its usual rate is
    /// the baseline for its ranges.
    pub(crate) fn parts(&self) -> [(Limit, &Key); 2] {
        [
            (Limit::ConversionPerCountry, &self.country),
            (Limit::ConversionPerRange, &self.range),
        ]
    }

    /// The rows that a send counts in. Known numbers are counted apart, since their rate
    /// says nothing about unknown ones.
    pub(crate) fn counted(&self, is_known: bool) -> Vec<(Limit, &Key)> {
        if is_known {
            vec![(Limit::ConversionOfKnown, &self.known)]
        } else {
            self.parts().to_vec()
        }
    }
}

/// Why a breaker tripped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrippedBy {
    /// The observed rate.
    pub rate: ConversionRate,
    /// The required rate, in percent.
    pub required: u8,
}

/// A destination whose conversion rate is too low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowConversion {
    /// The conversion limit that it fails.
    pub limit: Limit,
    /// The reason, in the step that tripped the breaker.
    pub tripped_by: Option<TrippedBy>,
}

/// The breaker's decision about a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConversionDecision {
    /// The breaker is closed: sends are allowed.
    Pass,
    /// The breaker is open until this moment.
    Tripped(Millis),
    /// The breaker must trip now, for this reason.
    Trip(TrippedBy),
}

/// The conversion of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConversionRow {
    /// When the breaker tripped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tripped_at: Option<Millis>,
    /// How often it tripped since it last passed a judgement.
    #[serde(default, skip_serializing_if = "is_zero")]
    trips: u8,
    /// Sends of the last hour.
    buckets: Buckets,
    /// Sends of the last day, before the last hour.
    #[serde(default, skip_serializing_if = "Buckets::is_empty")]
    hours: Buckets,
    /// Sends of the last week, before the last day.
    #[serde(default, skip_serializing_if = "Buckets::is_empty")]
    days: Buckets,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u8) -> bool {
    *count == 0
}

impl Row for ConversionRow {
    const KIND: &'static str = "conversion";
}

impl ConversionRow {
    /// Moves times that lie after `now` (the clock was set back) to `now`. Returns
    /// whether anything changed, i.e. the row must be saved.
    pub(crate) fn clamp(&mut self, now: Millis) -> bool {
        let tripped_later = self.tripped_at.filter(|at| *at > now);
        if tripped_later.is_some() {
            self.tripped_at = Some(now);
        }
        let tiers = [
            self.buckets.clamp(BUCKET, now),
            self.hours.clamp(HOUR_BUCKET, now),
            self.days.clamp(DAY_BUCKET, now),
        ];
        tripped_later.is_some() || tiers.contains(&true)
    }

    /// Judges the last hour and the last day. `usual` holds the country's rates.
    pub(crate) fn decide(
        &self,
        rule: &ConversionRule,
        limit: Limit,
        usual: Usual,
        now: Millis,
    ) -> ConversionDecision {
        if let Some(until) = self.tripped_until(rule, limit, now) {
            return ConversionDecision::Tripped(until);
        }
        let Some(min_sends) = rule.min_sends(limit) else {
            return ConversionDecision::Pass;
        };
        let min_sends = if self.trips > 0 {
            min_sends.div_ceil(2)
        } else {
            min_sends
        };
        let hour = self.rate_of_hour(rule, now);
        let day = self.rate_of_day(rule, now);
        for (rate, usual) in [(hour, usual.before_hour), (day, usual.before_day)] {
            let required = required(rule, usual);
            if rate.sends >= min_sends && rate.is_below(required) {
                return ConversionDecision::Trip(TrippedBy { rate, required });
            }
        }
        ConversionDecision::Pass
    }

    /// Resets the count of trips once a full judgement reaches the required rate itself,
    /// not only within chance. Returns whether it did.
    pub(crate) fn recover(
        &mut self,
        rule: &ConversionRule,
        limit: Limit,
        usual: Usual,
        now: Millis,
    ) -> bool {
        if self.trips == 0 || self.tripped_until(rule, limit, now).is_some() {
            return false;
        }
        let rate = self.rate_of_day(rule, now);
        let required = u64::from(required(rule, usual.before_day));
        let is_judged = rule.min_sends(limit).is_some_and(|min| rate.sends >= min);
        let is_enough = u64::from(rate.verified) * 100 >= u64::from(rate.sends) * required;
        if is_judged && is_enough {
            self.trips = 0;
            self.tripped_at = None;
        }
        self.trips == 0
    }

    /// Subtracts the sends to a range whose breaker has tripped, so that they do not
    /// count against the country as well.
    pub(crate) fn forget(&mut self, range: &Self) {
        // Another range's send may have moved the country's buckets on since.
        let moved = self.buckets.subtract(BUCKET, &range.buckets);
        for hours in [&moved, &range.hours] {
            self.hours.subtract(HOUR_BUCKET, hours);
        }
    }

    /// The usual rates, of periods with at least [`MIN_USUAL`] sends.
    pub(crate) fn usual(&self, rule: &ConversionRule, now: Millis) -> Usual {
        let days = self.days.best(WEEK, MIN_USUAL, now);
        let hours = self.hours.rate(DAY, rule.grace, now);
        let hours = (hours.sends >= MIN_USUAL).then_some(hours);
        let both = [days, hours].into_iter().flatten();
        Usual {
            before_hour: both.max_by_key(|rate| rate.percent()),
            before_day: days,
        }
    }

    /// Whether it tripped since the state `before`.
    pub(crate) fn trips_since(&self, before: &Self) -> bool {
        self.trips > before.trips
    }

    /// Trips the breaker, which stops sends until its cooldown is over. The rates of
    /// earlier days are kept.
    pub(crate) fn trip(&mut self, now: Millis) {
        self.tripped_at = Some(now);
        self.trips = self.trips.saturating_add(1);
        self.buckets = Buckets::default();
        self.hours = Buckets::default();
    }

    /// Counts a code sent at `at`.
    pub(crate) fn sent(&mut self, rule: &ConversionRule, limit: Limit, at: Millis, now: Millis) {
        if self.tripped_until(rule, limit, now).is_some() {
            return;
        }
        for bucket in self.buckets.older_than(HOUR, now) {
            self.hours.count(HOUR_BUCKET, bucket);
        }
        for bucket in self.hours.older_than(DAY, now) {
            self.days.count(DAY_BUCKET, bucket);
        }
        self.days.older_than(WEEK, now);
        self.buckets.count(BUCKET, Bucket::of_one(at.min(now)));
    }

    /// Uncounts the code sent at `at`: it never left.
    pub(crate) fn unsent(&mut self, at: Millis) {
        self.buckets.unsent(BUCKET, at);
    }

    /// Counts the code sent at `at` as entered.
    pub(crate) fn verified(&mut self, at: Millis) {
        self.buckets.verified(BUCKET, at);
    }

    /// When the row expires: nothing in it counts any more.
    pub(crate) fn ends_at(&self, rule: &ConversionRule) -> Millis {
        // Sends are kept for a week, as the usual rate.
        let tiers = [&self.buckets, &self.hours, &self.days];
        let counted = tiers.map(|tier| tier.ends_at(WEEK)).into_iter().max();
        let tripped = self.tripped_at.map(|at| {
            // The count of trips is kept for a day longer.
            at.after(rule.max_cooldown()).after(DAY)
        });
        counted.max(tripped).unwrap_or_default()
    }

    fn rate_of_hour(&self, rule: &ConversionRule, now: Millis) -> ConversionRate {
        self.buckets.rate(HOUR, rule.grace, now)
    }

    fn rate_of_day(&self, rule: &ConversionRule, now: Millis) -> ConversionRate {
        let recent = self.buckets.rate(DAY, rule.grace, now);
        sum(recent, self.hours.rate(DAY, rule.grace, now))
    }

    /// When the breaker closes, if it is open.
    pub(crate) fn tripped_until(
        &self,
        rule: &ConversionRule,
        limit: Limit,
        now: Millis,
    ) -> Option<Millis> {
        let cooldown = rule.cooldown_after(limit, self.trips);
        let until = self.tripped_at?.min(now).after(cooldown);
        (until > now).then_some(until)
    }
}

/// The required rate, in percent.
fn required(rule: &ConversionRule, usual: Option<ConversionRate>) -> u8 {
    let half = usual.map_or(0, |usual| usual.percent() / 2);
    rule.floor.max(half)
}

fn sum(one: ConversionRate, other: ConversionRate) -> ConversionRate {
    ConversionRate {
        sends: one.sends.saturating_add(other.sends),
        verified: one.verified.saturating_add(other.verified),
    }
}
