//! Time passes, and the clock is set.

use countersign_core::Millis;

use super::Traffic;
use crate::history::breaker::Breaker;

impl Traffic<'_> {
    /// Time passes to about the moment at which something changes.
    pub(super) fn pass_to_a_moment(&mut self) {
        let now = self.now();
        let moments = self.breakers.values().flat_map(Breaker::moments);
        let moments: Vec<u64> = moments.filter(|it| *it > now + 1).collect();
        if let Some(at) = self.random.pick(&moments) {
            self.service.pass(at - 1 + self.random.within(0..3) - now);
        }
    }

    pub(super) fn set_the_clock(&mut self) {
        let now = self.now();
        let most = [10_000, 300_000, 5_000_000, 400_000_000][self.random.index(4)];
        let by = self.random.within(1..most);
        let is_back = self.random.percent(60);
        self.known.retain(|_, it| it.until > now);
        self.breakers.values_mut().for_each(|it| it.expire(now));
        self.service
            .set(Millis(if is_back { now - by } else { now + by }));
    }
}
