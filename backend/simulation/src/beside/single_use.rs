//! What may be used once is used once in its time.

use std::{collections::BTreeMap, time::Duration};

use countersign_core::{
    Millis, keys,
    transitions::{ConsumeOnce, IsConsumed},
};

use crate::world::World;

const KEPT_FOR: Duration = Duration::from_mins(1);

impl World {
    pub(super) fn check_single_use(&mut self) {
        let mut used_until: BTreeMap<usize, Millis> = BTreeMap::new();
        for _ in 0..8 {
            let by = self.random.millis(0..30_000);
            self.pass(by);
            let (thing, now) = (self.random.index(2), self.clock_now());
            let key = keys::single_use(&format!("proof{thing}"));
            let is_used = used_until.get(&thing).is_some_and(|until| *until > now);
            let is_right = if self.random.percent(50) {
                let step = ConsumeOnce {
                    key,
                    kept_for: KEPT_FOR,
                };
                let (is_first, is_guarded) = self.execute_guarded(&step);
                if is_first {
                    used_until.insert(thing, now.after(KEPT_FOR));
                }
                is_first != is_used && is_guarded == is_first
            } else {
                self.execute(&IsConsumed { key }) == is_used
            };
            self.checker.require(is_right, || {
                format!("{thing} is used twice, or not at all, at {now:?}: {used_until:?}")
            });
        }
    }
}
