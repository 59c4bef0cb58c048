//! Sends counted in buckets of time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ConversionRate;
use crate::Millis;

/// The sends of one bucket: when the newest of them was, how many they are, and
/// how many of them ended verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bucket(Millis, u32, u32);

impl Bucket {
    /// One send, at that moment.
    pub(super) fn of_one(at: Millis) -> Self {
        Self(at, 1, 0)
    }
}

/// Buckets of one length, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Buckets(Vec<Bucket>);

impl Buckets {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts these in the bucket of that length that they lie in.
    pub(super) fn count(&mut self, length: u64, Bucket(at, sends, verified): Bucket) {
        let number = at.0 / length;
        let index = self.0.partition_point(|it| it.0.0 / length < number);
        match self.0.get_mut(index) {
            Some(it) if it.0.0 / length == number => {
                it.0 = it.0.max(at);
                it.1 = it.1.saturating_add(sends);
                it.2 = it.2.saturating_add(verified);
            }
            _ => self.0.insert(index, Bucket(at, sends, verified)),
        }
    }

    fn of(&mut self, length: u64, at: Millis) -> Option<&mut Bucket> {
        let number = at.0 / length;
        self.0.iter_mut().find(|it| it.0.0 / length == number)
    }

    /// A send of that moment never left.
    pub(super) fn unsent(&mut self, length: u64, at: Millis) {
        if let Some(it) = self.of(length, at).filter(|it| it.1 > it.2) {
            it.1 -= 1;
        }
        self.0.retain(|it| it.1 > 0);
    }

    /// A send of that moment ended verified.
    pub(super) fn verified(&mut self, length: u64, at: Millis) {
        if let Some(it) = self.of(length, at) {
            it.2 = it.2.saturating_add(1).min(it.1);
        }
    }

    /// Takes out those that are older.
    pub(super) fn older_than(&mut self, age: Duration, now: Millis) -> Vec<Bucket> {
        let is_older = |it: &mut Bucket| it.0.after(age) <= now;
        self.0.extract_if(.., is_older).collect()
    }

    /// Takes away what these count, each from the bucket that it lies in.
    pub(super) fn subtract(&mut self, length: u64, others: &Self) {
        for Bucket(at, sends, verified) in &others.0 {
            if let Some(it) = self.of(length, *at) {
                it.2 = it.2.saturating_sub(*verified);
                it.1 = it.1.saturating_sub(*sends).max(it.2);
            }
        }
        self.0.retain(|it| it.1 > 0);
    }

    /// What lies after `now` counts as now. Answers whether anything did.
    pub(super) fn clamp(&mut self, length: u64, now: Millis) -> bool {
        let first = self.0.partition_point(|it| it.0 <= now);
        let later: Vec<Bucket> = self.0.drain(first..).collect();
        for Bucket(_, sends, verified) in &later {
            self.count(length, Bucket(now, *sends, *verified));
        }
        !later.is_empty()
    }

    /// The sends of those that are younger than `age`, as far as they are old enough.
    pub(super) fn rate(&self, age: Duration, grace: Duration, now: Millis) -> ConversionRate {
        let mut rate = ConversionRate::default();
        for Bucket(at, sends, verified) in self.0.iter().filter(|it| it.0.after(age) > now) {
            let is_old = at.after(grace) <= now;
            let counted = if is_old { sends } else { verified };
            rate.sends = rate.sends.saturating_add(*counted);
            rate.verified = rate.verified.saturating_add(*verified);
        }
        rate
    }

    /// The best conversion rate of a bucket, of those with so many sends at least.
    pub(super) fn best(
        &self,
        age: Duration,
        min_sends: u32,
        now: Millis,
    ) -> Option<ConversionRate> {
        let young = self.0.iter().filter(|it| it.0.after(age) > now);
        let rates = young.map(|Bucket(_, sends, verified)| ConversionRate {
            sends: *sends,
            verified: *verified,
        });
        rates
            .filter(|rate| rate.sends >= min_sends)
            .max_by_key(|rate| rate.percent())
    }

    /// When the newest is older than `age`.
    pub(super) fn ends_at(&self, age: Duration) -> Millis {
        let last = self.0.last();
        last.map_or(Millis(0), |it| it.0.after(age))
    }
}

#[cfg(test)]
impl Buckets {
    pub(super) fn sends(&self) -> u32 {
        self.0.iter().map(|it| it.1).sum()
    }
}
