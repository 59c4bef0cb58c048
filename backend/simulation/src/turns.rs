//! Turns to poll Plivo: one caller gets it per interval, or once a callback has come.

use std::{collections::BTreeMap, time::Duration};

use countersign_core::{Millis, keys, transitions::PollTurn};

use crate::{checker::Checker, world::World};

/// Interval between two turns.
pub(crate) const INTERVAL: Duration = Duration::from_secs(3);
/// How long after its begin a step may be committed.
const COMMITTED_WITHIN: u64 = 2_000;

#[derive(Default)]
pub(crate) struct Turns {
    /// Between which moments the last turn of each of Plivo's sessions was taken.
    taken: BTreeMap<String, (u64, u64)>,
    /// When the last callback about each of them began.
    called_back: BTreeMap<String, u64>,
    /// When each callback began.
    begun: BTreeMap<u64, u64>,
    /// When the last one of those began that were recorded.
    freed: BTreeMap<String, u64>,
}

impl Turns {
    /// A callback, which frees the turn, has begun.
    pub(crate) fn callback(&mut self, request: u64, plivo: &str, now: Millis) {
        self.called_back.insert(plivo.to_owned(), now.0);
        self.begun.insert(request, now.0);
    }

    /// Whether any callback may have been recorded since that moment.
    pub(crate) fn is_any_since(&self, moment: u64) -> bool {
        let mut begun = self.begun.values();
        begun.any(|at| at + COMMITTED_WITHIN >= moment)
    }

    /// When a callback may have been recorded at the latest.
    pub(crate) fn recorded_by(&self, request: u64) -> u64 {
        self.begun
            .get(&request)
            .map_or(0, |at| at + COMMITTED_WITHIN)
    }

    /// It was recorded.
    pub(crate) fn recorded(&mut self, request: u64, plivo: &str) {
        let begun = self.begun.get(&request).copied().unwrap_or_default();
        let freed = self.freed.entry(plivo.to_owned()).or_default();
        *freed = begun.max(*freed);
    }

    /// Whether a callback may have been recorded since that moment.
    fn may_be_freed(&self, plivo: &str, since: u64) -> bool {
        let last = self.called_back.get(plivo);
        last.is_some_and(|last| last + COMMITTED_WITHIN >= since)
    }
}

impl Checker {
    /// A caller that asked at `from` was given the turn.
    pub(crate) fn turn_taken(&mut self, plivo: &str, from: Millis, now: Millis) {
        let taken = (from.0, now.0);
        let last = self.turns.taken.insert(plivo.to_owned(), taken);
        let Some((since, _)) = last else { return };
        let is_free = Millis(since).after(INTERVAL) <= now;
        let is_right = is_free || self.turns.may_be_freed(plivo, since) || self.was_set;
        self.require(is_right, || {
            format!("two callers poll {plivo}: since {since} and at {now:?}")
        });
    }
}

impl World {
    /// Whatever happened to the clock, the turn is free again after its interval.
    pub(crate) fn check_that_turns_are_free(&mut self) {
        self.pass(INTERVAL);
        for plivo in self.checker.turns.taken.clone().into_keys() {
            let is_turn = self.read(&self.turn(&plivo)).is_turn;
            self.checker
                .require(is_turn, || format!("{plivo} is never polled again"));
        }
    }

    pub(crate) fn turn(&self, plivo: &str) -> PollTurn {
        PollTurn {
            upstream: keys::upstream(plivo),
            interval: INTERVAL,
            rules: self.settings.rules.clone(),
        }
    }

    /// In a quiet moment the turn is free, or it was taken lately.
    pub(crate) fn check_the_turns(&mut self) {
        let now = self.clock_now();
        for (plivo, (from, to)) in self.checker.turns.taken.clone() {
            let is_turn = self.read(&self.turn(&plivo)).is_turn;
            let turns = &self.checker.turns;
            let is_clear = !turns.may_be_freed(&plivo, from);
            let last = turns.freed.get(&plivo).copied();
            let is_called_back = last.is_some_and(|last| last > to);
            let must_be_free = Millis(to).after(INTERVAL) <= now || is_called_back;
            let must_be_taken = Millis(from).after(INTERVAL) > now && is_clear;
            let is_right = if is_turn {
                !must_be_taken
            } else {
                !must_be_free
            };
            self.checker.require(is_right, || {
                format!("the turn of {plivo} at {now:?}: {is_turn}, taken at {from}, called back at {last:?}")
            });
        }
    }
}
