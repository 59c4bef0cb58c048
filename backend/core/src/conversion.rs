//! Conversion: how many of the codes sent to a destination are given back, and
//! when too few are.
//!
//! A destination is a country or a range of numbers. Its sends of the last hour
//! are counted in stretches of two minutes, each with how many of them ended
//! verified. A stretch counts in full once its newest send is older than the
//! grace; until then its verified sends count and those still open do not. So a
//! send can be late, but it never counts as failed while it is young.
//!
//! Where the conversion rate is below the floor the breaker trips: what was counted
//! is forgotten, and what is sent until it closes again is not counted. After that
//! the destination has to fail anew.

use std::{num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Key, Limit, Millis, Row};

/// How far back a destination is looked at.
const WINDOW: Duration = Duration::from_hours(1);
/// Milliseconds of it that are counted together.
const STRETCH: u64 = 120_000;

/// When too few of the codes that are sent to a country, or to a range of
/// numbers, are given back: nobody there wants them, or somebody is paid for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversionRule {
    /// The share that must be given back, in percent.
    pub floor: u8,
    /// Codes within the hour before the share is looked at.
    pub min_sends: NonZeroU32,
    /// How long a code may be out before it counts as not given back.
    pub grace: Duration,
    /// How long sends stop there.
    pub cooldown: Duration,
    /// Whether they do; else what would be stopped is only reported.
    pub enforced: bool,
}

/// The rows of a number's country and of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The country's conversion.
    pub country: Key,
    /// The range's.
    pub range: Key,
}

impl Destination {
    /// Each with its limit.
    pub(crate) fn parts(&self) -> [(Limit, &Key); 2] {
        [
            (Limit::ConversionPerCountry, &self.country),
            (Limit::ConversionPerPrefix, &self.range),
        ]
    }
}

/// Codes sent and codes given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversionRate {
    /// Codes sent.
    pub sends: u32,
    /// Codes given back.
    pub verified: u32,
}

/// A country or a range of numbers where too few codes are given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowConversion {
    /// Which of the two.
    pub limit: Limit,
    /// Its row, to tell it from others in the log.
    pub row: Key,
    /// What was seen, by the step that tripped the breaker.
    pub tripped_by: Option<ConversionRate>,
}

/// How a destination stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConversionDecision {
    /// Sends may go there.
    Pass,
    /// Not before that.
    Tripped(Millis),
    /// From now on not, for that reason.
    Trip(ConversionRate),
}

/// The sends of one stretch: when the newest of them was, how many they are, and
/// how many of them ended verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch(Millis, u32, u32);

impl Stretch {
    fn number(at: Millis) -> u64 {
        at.0 / STRETCH
    }
}

/// What is known of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConversionRow {
    /// When the breaker tripped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tripped_at: Option<Millis>,
    /// Oldest first.
    stretches: Vec<Stretch>,
}

impl Row for ConversionRow {
    const KIND: &'static str = "conversion";
}

impl ConversionRow {
    /// What lies after `now` (the clock was set back) counts as now. Answers
    /// whether anything did, so that the row must be stored.
    pub(crate) fn clamp(&mut self, now: Millis) -> bool {
        let is_later = |at: &Millis| *at > now;
        let tripped_later = self.tripped_at.filter(is_later);
        if tripped_later.is_some() {
            self.tripped_at = Some(now);
        }
        let first = self.stretches.partition_point(|it| it.0 <= now);
        let later: Vec<Stretch> = self.stretches.drain(first..).collect();
        for Stretch(_, sends, verified) in &later {
            self.count(now, *sends, *verified);
        }
        tripped_later.is_some() || !later.is_empty()
    }

    /// Looks at the last hour.
    pub(crate) fn decide(&self, rule: &ConversionRule, now: Millis) -> ConversionDecision {
        if let Some(until) = self.tripped_until(rule, now) {
            return ConversionDecision::Tripped(until);
        }
        let (mut sends, mut verified) = (0_u32, 0_u32);
        for Stretch(at, sent, given_back) in &self.stretches {
            if at.after(WINDOW) <= now {
                continue;
            }
            let is_old = at.after(rule.grace) <= now;
            verified = verified.saturating_add(*given_back);
            sends = sends.saturating_add(if is_old { *sent } else { *given_back });
        }
        let is_low = u64::from(verified) * 100 < u64::from(sends) * u64::from(rule.floor);
        if sends >= rule.min_sends.get() && is_low {
            ConversionDecision::Trip(ConversionRate { sends, verified })
        } else {
            ConversionDecision::Pass
        }
    }

    /// Stops sends there for a while.
    pub(crate) fn trip(&mut self, now: Millis) {
        self.tripped_at = Some(now);
        self.stretches.clear();
    }

    /// A code went there at that moment.
    pub(crate) fn sent(&mut self, rule: &ConversionRule, at: Millis, now: Millis) {
        if self.tripped_until(rule, now).is_some() {
            return;
        }
        self.tripped_at = None;
        self.stretches.retain(|it| it.0.after(WINDOW) > now);
        self.count(at.min(now), 1, 0);
    }

    /// The code that went there at that moment never left.
    pub(crate) fn unsent(&mut self, at: Millis) {
        let number = Stretch::number(at);
        let mut stretches = self.stretches.iter_mut();
        if let Some(it) = stretches.find(|it| Stretch::number(it.0) == number && it.1 > it.2) {
            it.1 -= 1;
        }
        self.stretches.retain(|it| it.1 > 0);
    }

    /// The code that went there at that moment was given back.
    pub(crate) fn verified(&mut self, at: Millis) {
        let number = Stretch::number(at);
        let mut stretches = self.stretches.iter_mut();
        if let Some(it) = stretches.find(|it| Stretch::number(it.0) == number) {
            it.2 = it.2.saturating_add(1).min(it.1);
        }
    }

    /// When none of it counts any more.
    pub(crate) fn ends_at(&self, rule: &ConversionRule) -> Millis {
        let last = self.stretches.last();
        let last = last.map_or(Millis(0), |it| it.0.after(WINDOW));
        let tripped = self.tripped_at.map(|at| at.after(rule.cooldown));
        last.max(tripped.unwrap_or_default())
    }

    fn tripped_until(&self, rule: &ConversionRule, now: Millis) -> Option<Millis> {
        let until = self.tripped_at?.min(now).after(rule.cooldown);
        (until > now).then_some(until)
    }

    fn count(&mut self, at: Millis, sends: u32, verified: u32) {
        let number = Stretch::number(at);
        let index = self
            .stretches
            .partition_point(|it| Stretch::number(it.0) < number);
        match self.stretches.get_mut(index) {
            Some(it) if Stretch::number(it.0) == number => {
                it.0 = it.0.max(at);
                it.1 = it.1.saturating_add(sends);
                it.2 = it.2.saturating_add(verified);
            }
            _ => self.stretches.insert(index, Stretch(at, sends, verified)),
        }
    }
}

#[cfg(test)]
mod tests;
