//! The store's clock, advanced and set by the schedule.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use countersign_core::Millis;
use countersign_platform::clock::Clock;

const START: u64 = 1_764_000_000_000;

#[derive(Clone)]
pub(crate) struct SimClock(Arc<AtomicU64>);

impl SimClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(START)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or_default();
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, now: Millis) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now(&self) -> SystemTime {
        Millis(self.0.load(Ordering::Relaxed)).into()
    }
}
