//! Measures clock skew: the clock that dates proofs against the machine's wall clock, which
//! may have been set since the start, and against the store's, which may be on another
//! machine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use countersign_metrics::{Metrics, OtherClock};
use countersign_platform::clock::Clock;
use countersign_store::StoreHandle;

use crate::proof;

/// Compares the clocks and remembers which differ.
pub(super) struct ClockSkew {
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    known: Known,
}

#[derive(Default)]
struct Known {
    of_machine: AtomicBool,
    of_store: AtomicBool,
}

/// What to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Apart,
    Together,
}

impl Known {
    fn news(&self, other: OtherClock, apart: Duration) -> Option<News> {
        let known = match other {
            OtherClock::Machine => &self.of_machine,
            OtherClock::Store => &self.of_store,
        };
        let are_apart = apart > proof::SKEW;
        match (known.swap(are_apart, Ordering::Relaxed), are_apart) {
            (false, true) => Some(News::Apart),
            (true, false) => Some(News::Together),
            _ => None,
        }
    }
}

impl ClockSkew {
    pub(super) fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self {
            clock,
            metrics,
            known: Known::default(),
        }
    }

    /// Compares the clocks.
    pub(super) async fn measure(&self, store: &StoreHandle) {
        self.note(OtherClock::Machine, SystemTime::now());
        // A failure here also fails the next request, which is logged.
        if let Ok(now) = store.now().await {
            self.note(OtherClock::Store, now.into());
        }
    }

    fn note(&self, other: OtherClock, theirs: SystemTime) {
        let (apart, sign) = match self.clock.now().duration_since(theirs) {
            Ok(ahead) => (ahead, 1),
            Err(behind) => (behind.duration(), -1),
        };
        let seconds = f64::from(sign) * apart.as_secs_f64();
        self.metrics.clock_skew(other, seconds);
        let whole = i64::try_from(apart.as_secs()).unwrap_or(i64::MAX);
        match self.known.news(other, apart) {
            Some(News::Apart) => log::warn!(
                event = "clock.skewed", other = other.as_str(), seconds = i64::from(sign) * whole;
                "clock skew above 5 s: proofs are dated by this clock"
            ),
            Some(News::Together) => log::info!(
                event = "clock.in_sync", other = other.as_str();
                "clock skew is gone"
            ),
            None => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_come_apart_are_told_of_once_each_time() {
        let known = Known::default();
        let second = Duration::from_secs(1);
        let told =
            [0, 5, 6, 3600, 4, 0, 6].map(|seconds| known.news(OtherClock::Store, second * seconds));
        let (apart, together) = (Some(News::Apart), Some(News::Together));
        assert_eq!(told, [None, None, apart, None, together, None, apart]);
        assert_eq!(known.news(OtherClock::Machine, second * 6), apart);
    }
}
