//! Sends counted in time buckets.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ConversionRate;
use crate::Millis;

/// One bucket: the time of its newest send, the number of its sends, and how many of them
/// ended verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bucket(Millis, u32, u32);

impl Bucket {
    /// A bucket with one send, at `at`.
    pub(super) fn of_one(at: Millis) -> Self {
        Self(at, 1, 0)
    }
}

/// Buckets of one length, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Buckets(Vec<Bucket>);

impl Buckets {
    /// Whether there are no buckets.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds sends to the bucket of `length` milliseconds that their time falls in.
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

    /// Uncounts a send at `at`: it never left.
    pub(super) fn unsent(&mut self, length: u64, at: Millis) {
        if let Some(it) = self.of(length, at).filter(|it| it.1 > it.2) {
            it.1 -= 1;
        }
        self.0.retain(|it| it.1 > 0);
    }

    /// Counts a send at `at` as verified.
    pub(super) fn verified(&mut self, length: u64, at: Millis) {
        if let Some(it) = self.of(length, at) {
            it.2 = it.2.saturating_add(1).min(it.1);
        }
    }

    /// Removes and returns the buckets that are older than `age`.
    pub(super) fn older_than(&mut self, age: Duration, now: Millis) -> Vec<Bucket> {
        let is_older = |it: &mut Bucket| it.0.after(age) <= now;
        self.0.extract_if(.., is_older).collect()
    }

    /// Subtracts the counts of `others`, bucket by bucket. Returns those of them that have
    /// no bucket here.
    pub(super) fn subtract(&mut self, length: u64, others: &Self) -> Self {
        let mut missing = Self::default();
        for other in &others.0 {
            let Some(it) = self.of(length, other.0) else {
                missing.0.push(*other);
                continue;
            };
            it.2 = it.2.saturating_sub(other.2);
            it.1 = it.1.saturating_sub(other.1).max(it.2);
        }
        self.0.retain(|it| it.1 > 0);
        missing
    }

    /// Moves buckets that lie after `now` to `now`. Returns whether there were any.
    pub(super) fn clamp(&mut self, length: u64, now: Millis) -> bool {
        let first = self.0.partition_point(|it| it.0 <= now);
        let later: Vec<Bucket> = self.0.drain(first..).collect();
        for Bucket(_, sends, verified) in &later {
            self.count(length, Bucket(now, *sends, *verified));
        }
        !later.is_empty()
    }

    /// The rate of the buckets younger than `age`. Of those younger than `grace` only the
    /// verified sends count.
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

    /// The best conversion rate of a bucket that is younger than `age` and has at least
    /// `min_sends` sends.
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

    /// When the newest bucket will be older than `age`.
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
