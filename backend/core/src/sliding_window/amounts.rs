//! A window over amounts: numbers of uses, or money.

use serde::{Deserialize, Serialize};

use super::packed::{self, Packed};

/// The most marks that a window keeps.
pub(super) const MAX_MARKS: usize = 64;

/// The amount used at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    at: u64,
    amount: u64,
}

impl Packed for Mark {
    fn at(&self) -> u64 {
        self.at
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        packed::write_number(self.amount, bytes);
    }

    fn read(at: u64, bytes: &mut &[u8]) -> Option<Self> {
        let amount = packed::read_number(bytes)?;
        Some(Self { at, amount })
    }
}

/// The uses within one window, oldest first.
///
/// A use at the time `t` is part of the first mark at or after `t`, so it never stops
/// counting too early.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AmountWindow {
    /// Milliseconds that a use counts for.
    #[serde(rename = "per")]
    length: u64,
    #[serde(rename = "uses", with = "packed")]
    marks: Vec<Mark>,
}

impl AmountWindow {
    pub(super) fn new(length: u64) -> Self {
        Self {
            length,
            marks: Vec::new(),
        }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn forget(&mut self, now: u64) {
        let length = self.length;
        self.marks
            .retain(|mark| mark.at.saturating_add(length) > now);
    }

    /// Moves uses that lie after `now` to `now`. Returns whether there were any.
    pub(super) fn clamp(&mut self, now: u64) -> bool {
        let first = self.marks.partition_point(|mark| mark.at <= now);
        let later = self.marks.drain(first..).map(|mark| mark.amount);
        let later = later.fold(0, u64::saturating_add);
        if later > 0 {
            self.add(later, now);
        }
        later > 0
    }

    pub(super) fn used(&self) -> u64 {
        let amounts = self.marks.iter().map(|mark| mark.amount);
        amounts.fold(0, u64::saturating_add)
    }

    /// Milliseconds until `amount` fits into `count`; 0 if it fits now. An amount that
    /// never fits waits for a whole window.
    pub(super) fn wait(&self, count: u64, amount: u64, now: u64) -> u64 {
        if amount > count {
            return self.length;
        }
        let mut excess = (self.used().saturating_add(amount)).saturating_sub(count);
        for mark in &self.marks {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(mark.amount);
            if excess == 0 {
                return mark.at.saturating_add(self.length).saturating_sub(now);
            }
        }
        0
    }

    /// Adds an amount at `now`, the newest time.
    pub(super) fn add(&mut self, amount: u64, now: u64) {
        match self.marks.last_mut() {
            _ if amount == 0 => return,
            Some(last) if last.at == now => last.amount = last.amount.saturating_add(amount),
            _ => self.marks.push(Mark { at: now, amount }),
        }
        self.bound();
    }

    /// Corrects the amount used at `at` from `before` to `after`.
    pub(super) fn correct(&mut self, at: u64, before: u64, after: u64, now: u64) {
        if at.saturating_add(self.length) <= now {
            return;
        }
        let index = self.marks.partition_point(|mark| mark.at < at);
        if let Some(mark) = self.marks.get_mut(index) {
            mark.amount = mark.amount.saturating_add(after).saturating_sub(before);
            self.marks.retain(|mark| mark.amount > 0);
        } else {
            self.add(after.saturating_sub(before), at.min(now));
        }
    }

    /// When the last use stops counting; 0 if there are no uses.
    pub(super) fn ends_at(&self) -> u64 {
        let last = self.marks.last();
        last.map_or(0, |mark| mark.at.saturating_add(self.length))
    }

    /// Beyond [`MAX_MARKS`], merges the two closest marks into the later one.
    fn bound(&mut self) {
        if self.marks.len() <= MAX_MARKS {
            return;
        }
        let gaps = self.marks.windows(2).map(|pair| pair[1].at - pair[0].at);
        let closest = gaps.enumerate().min_by_key(|(_, gap)| *gap);
        if let Some((index, _)) = closest {
            let earlier = self.marks.remove(index);
            let merged = &mut self.marks[index].amount;
            *merged = merged.saturating_add(earlier.amount);
        }
    }
}
