//! A window over distinct things: how many different ones were used.

use serde::{Deserialize, Serialize};

use super::{
    MAX_DISTINCT,
    packed::{self, MARK_BYTES, Packed},
};
use crate::Quota;

/// One thing, by part of its keyed hash, and when it was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    at: u64,
    thing: [u8; MARK_BYTES],
}

/// Bit of a mark: the thing was used more than once at the same time. Those uses cannot
/// be told apart, so none of them is released.
const SHARED: u8 = 1;

impl Mark {
    fn is_of(&self, thing: [u8; MARK_BYTES]) -> bool {
        let mut own = self.thing;
        own[0] &= !SHARED;
        own == thing
    }
}

impl Packed for Mark {
    fn at(&self) -> u64 {
        self.at
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.thing);
    }

    fn read(at: u64, bytes: &mut &[u8]) -> Option<Self> {
        let (thing, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(Self { at, thing: *thing })
    }
}

/// The things used within the longest window, each once, by its last use. Shorter windows
/// count those within their own length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DistinctWindow {
    /// Milliseconds that a use counts for in the longest window.
    #[serde(rename = "per")]
    length: u64,
    #[serde(rename = "things", with = "packed")]
    marks: Vec<Mark>,
}

impl DistinctWindow {
    pub(super) fn fit(&mut self, quotas: &[Quota], now: u64) {
        self.length = quotas.iter().map(Quota::milliseconds).max().unwrap_or(0);
        let length = self.length;
        self.marks
            .retain(|mark| mark.at.saturating_add(length) > now);
    }

    /// Moves uses that lie after `now` to `now`. Returns whether there were any.
    pub(super) fn clamp(&mut self, now: u64) -> bool {
        let first = self.marks.partition_point(|mark| mark.at <= now);
        for mark in &mut self.marks[first..] {
            mark.at = now;
        }
        first < self.marks.len()
    }

    pub(super) fn used(&self, quota: &Quota, now: u64) -> u64 {
        self.within(quota, now).len() as u64
    }

    pub(super) fn wait(&self, quota: &Quota, thing: u64, now: u64) -> u64 {
        let (thing, within) = (short(thing), self.within(quota, now));
        if within.iter().any(|mark| mark.is_of(thing)) {
            return 0;
        }
        let count = usize::try_from(quota.count.get()).unwrap_or(usize::MAX);
        let excess = (within.len() + 1).saturating_sub(count.min(MAX_DISTINCT));
        let leaves = excess.checked_sub(1).and_then(|index| within.get(index));
        leaves.map_or(0, |mark| {
            let leaves_at = mark.at.saturating_add(quota.milliseconds());
            leaves_at.saturating_sub(now)
        })
    }

    /// Counts a use. Returns when the thing was last used before.
    pub(super) fn add(&mut self, thing: u64, now: u64) -> Option<u64> {
        let mut thing = short(thing);
        let known = self.marks.iter().position(|mark| mark.is_of(thing));
        let before = known.map(|index| self.marks.remove(index).at);
        if before == Some(now) {
            thing[0] |= SHARED;
        }
        self.marks.push(Mark { at: now, thing });
        before
    }

    /// Restores the thing to its state before the use at `at`, unless it was used since
    /// then, or twice at that time.
    pub(super) fn release(&mut self, thing: u64, at: u64, before: Option<u64>, now: u64) {
        let thing = short(thing);
        let ours = Mark { at, thing };
        let Some(index) = self.marks.iter().position(|mark| *mark == ours) else {
            return;
        };
        self.marks.remove(index);
        if let Some(at) = before.filter(|at| at.saturating_add(self.length) > now) {
            let index = self.marks.partition_point(|mark| mark.at <= at);
            self.marks.insert(index, Mark { at, thing });
        }
    }

    /// When the last use stops counting; 0 if there are no uses.
    pub(super) fn ends_at(&self) -> u64 {
        let last = self.marks.last();
        last.map_or(0, |mark| mark.at.saturating_add(self.length))
    }

    fn within(&self, quota: &Quota, now: u64) -> &[Mark] {
        let length = quota.milliseconds();
        let first = self
            .marks
            .partition_point(|mark| mark.at.saturating_add(length) <= now);
        &self.marks[first..]
    }
}

fn short(thing: u64) -> [u8; MARK_BYTES] {
    let mut short = [0; MARK_BYTES];
    short.copy_from_slice(&thing.to_le_bytes()[..MARK_BYTES]);
    short[0] &= !SHARED;
    short
}
