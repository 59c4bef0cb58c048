//! Conversion: how many of the codes sent to a destination are entered, and
//! when too few are.
//!
//! A destination is a country or a range of numbers. Its sends of the last hour
//! are counted in buckets of two minutes, those of the last day by the hour and
//! those of the last week by the day, each with how many of them ended verified. A
//! bucket counts in full once its newest send is older than the grace; until then
//! its verified sends count and those still open do not. So a send can be late, but
//! it never counts as failed while it is young.
//!
//! The last hour is judged, and the last day, which finds who comes slowly. Too few
//! is less than the floor, or less than half of the rate that the country had on the best
//! day of the week before, by more than chance explains. The best day, so that who comes
//! slowly does not become what is usual.
//! Then the breaker trips: what was counted is forgotten, and what is sent until it
//! closes again is not counted. After that half as many sends are enough to trip it
//! again, for twice as long, until the destination has passed a whole judgement.

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
/// Milliseconds that are counted together within the last hour, the last day and
/// the last week.
const BUCKET: u64 = 120_000;
const HOUR_BUCKET: u64 = 3_600_000;
const DAY_BUCKET: u64 = 24 * HOUR_BUCKET;
/// Sends of a day before it says what is usual.
const MIN_USUAL: u32 = 30;
/// The rows of a number's country and of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The country's conversion.
    pub country: Key,
    /// The range's.
    pub range: Key,
    /// Of the country's known numbers.
    pub known: Key,
}

impl Destination {
    /// What strangers are judged by, the country first: its ranges are held against it.
    pub(crate) fn parts(&self) -> [(Limit, &Key); 2] {
        [
            (Limit::ConversionPerCountry, &self.country),
            (Limit::ConversionPerRange, &self.range),
        ]
    }

    /// Where a send counts: those of known numbers apart, since they say nothing of
    /// strangers.
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
    /// What was seen.
    pub rate: ConversionRate,
    /// The share that it was held against, in percent.
    pub required: u8,
}

/// A country or a range of numbers where too few codes are entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowConversion {
    /// Which of the two.
    pub limit: Limit,
    /// Why, by the step that tripped the breaker.
    pub tripped_by: Option<TrippedBy>,
}

/// How a destination stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConversionDecision {
    /// Sends may go there.
    Pass,
    /// Not before that.
    Tripped(Millis),
    /// From now on not, for that reason.
    Trip(TrippedBy),
}

/// What is known of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConversionRow {
    /// When the breaker tripped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tripped_at: Option<Millis>,
    /// How often, without a judgement that it passed since.
    #[serde(default, skip_serializing_if = "is_zero")]
    trips: u8,
    /// Sends of the last hour.
    buckets: Buckets,
    /// Sends of the last day before that.
    #[serde(default, skip_serializing_if = "Buckets::is_empty")]
    hours: Buckets,
    /// Sends of the last week before that.
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
    /// What lies after `now` (the clock was set back) counts as now. Answers
    /// whether anything did, so that the row must be stored.
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

    /// Looks at the last hour and at the last day. `usual` is the country's.
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

    /// Forgets that it tripped, once a whole judgement shows what is required, not only
    /// nothing that chance explains. Answers whether it did.
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

    /// What went to a range whose breaker has tripped is dealt with there: the country is
    /// not judged by it.
    pub(crate) fn forget(&mut self, range: &Self) {
        self.buckets.subtract(BUCKET, &range.buckets);
        self.hours.subtract(HOUR_BUCKET, &range.hours);
    }

    /// Its rates before, where it was sent enough to say.
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

    /// Whether it tripped since it was like `before`.
    pub(crate) fn trips_since(&self, before: &Self) -> bool {
        self.trips > before.trips
    }

    /// Stops sends there for a while. Its rates of the days before stay known
    /// all the same.
    pub(crate) fn trip(&mut self, now: Millis) {
        self.tripped_at = Some(now);
        self.trips = self.trips.saturating_add(1);
        self.buckets = Buckets::default();
        self.hours = Buckets::default();
    }

    /// A code went there at that moment.
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

    /// The code that went there at that moment never left.
    pub(crate) fn unsent(&mut self, at: Millis) {
        self.buckets.unsent(BUCKET, at);
    }

    /// The code that went there at that moment was entered.
    pub(crate) fn verified(&mut self, at: Millis) {
        self.buckets.verified(BUCKET, at);
    }

    /// When none of it counts any more.
    pub(crate) fn ends_at(&self, rule: &ConversionRule) -> Millis {
        // Sends are kept for a week: by then they are what was usual.
        let tiers = [&self.buckets, &self.hours, &self.days];
        let counted = tiers.map(|tier| tier.ends_at(WEEK)).into_iter().max();
        let tripped = self.tripped_at.map(|at| {
            // A while longer it is remembered that it tripped.
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

    /// Until when sends stop, if they do.
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

/// The share that must be entered, in percent.
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
