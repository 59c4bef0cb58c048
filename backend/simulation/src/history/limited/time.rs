//! Time passes, and the clock is set.

use countersign_core::Millis;

use super::{Limited, OF_NUMBERS};
use crate::history::{accounts::millis, counter::Counter};

impl Limited<'_> {
    pub(super) fn moments(&self) -> Vec<u64> {
        let uses = self.counters.values().flat_map(Counter::moments);
        let lifetime = millis(self.rules.session_lifetime);
        let numbers = self.numbers.iter().flat_map(|it| {
            let known = it.known.map_or(0, |it| it.1);
            let freed = it.freed_at.map_or(0, |it| it + 30_000);
            let backoff = it.backoff;
            let last = if backoff.sends > 0 {
                backoff.last + lifetime
            } else {
                0
            };
            [backoff.ready_at(&self.rules), last, known, freed]
        });
        let sessions = self.sessions.iter();
        let ends = sessions.flat_map(|it| [it.ends_at, it.ends_at + 3_600_000]);
        let bills = self.bills.values().map(|it| it.until);
        let all = uses.chain(numbers).chain(ends).chain(bills);
        all.chain(self.claims.moments()).collect()
    }

    /// Time passes to about the moment at which something ends.
    pub(super) fn pass_to_a_moment(&mut self) {
        let now = self.now();
        let mut moments = self.moments();
        moments.retain(|it| *it > now + 1 && *it < now + 2 * self.pause + 60_000);
        if let Some(at) = self.random.pick(&moments) {
            self.service.pass(at - 1 + self.random.within(0..3) - now);
        }
    }

    /// Drops what is over.
    pub(super) fn note_what_ended(&mut self) {
        let now = self.now();
        let ended = self.moments().into_iter().filter(|it| *it <= now);
        self.ended_at = ended.fold(self.ended_at, u64::max);
        self.expire(now);
    }

    /// Sets the clock, but not back to before something has ended.
    pub(super) fn set_the_clock(&mut self) {
        let now = self.now();
        self.note_what_ended();
        let most = [3_000, 40_000, 900_000][self.random.index(3)];
        let by = self.random.within(1..most);
        let to = if self.random.percent(70) {
            now.saturating_sub(by).max(self.ended_at)
        } else {
            now + by
        };
        self.service.set(Millis(to));
    }

    pub(super) fn expire(&mut self, now: u64) {
        self.sessions.iter_mut().for_each(|it| it.expire(now));
        self.claims.expire(now);
        self.bills.retain(|_, it| it.until > now);
        for ((limit, _), counter) in &mut self.counters {
            counter.expire(now);
            // A row in which nothing counts is not stored.
            if !OF_NUMBERS.contains(limit) && counter.moments().is_empty() {
                counter.moves = 0;
            }
        }
        for number in 0..self.numbers.len() {
            let it = &mut self.numbers[number];
            it.known = it.known.filter(|known| known.1 > now);
            if !self.is_there(number) {
                self.numbers[number].freed_at = None;
                self.counters_of(number).for_each(|it| it.moves = 0);
            }
        }
    }

    /// Whether there is a row of that number.
    pub(super) fn is_there(&mut self, number: usize) -> bool {
        let (now, lifetime) = (self.now(), millis(self.rules.session_lifetime));
        let (it, rules) = (&self.numbers[number], &self.rules);
        let last = it.reserved.last().map_or(0, |(_, at)| at + lifetime);
        let freed = it.freed_at.map_or(0, |at| at + 30_000);
        let backoff = match it.backoff.sends {
            0 => 0,
            _ => (it.backoff.last + lifetime).max(it.backoff.ready_at(rules)),
        };
        let is_counted = self.counters_of(number).any(|it| !it.moments().is_empty());
        is_counted || last.max(freed).max(backoff) > now
    }
}
