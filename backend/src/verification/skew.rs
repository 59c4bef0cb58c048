//! Whether the clock that proofs are dated by agrees with the machine's, which may
//! have been set since the start, and with the store's, which may be another's.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

use super::Verification;
use crate::{metrics::OtherClock, proof};

/// Which clocks are known to be apart.
#[derive(Default)]
pub(super) struct Skew {
    of_machine: AtomicBool,
    of_store: AtomicBool,
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Apart,
    Together,
}

impl Skew {
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

impl Verification {
    /// Compares the clocks.
    pub(super) async fn look_at_clocks(&self) {
        self.note_clock(OtherClock::Machine, SystemTime::now());
        // What fails here fails in what follows, and is logged there.
        if let Ok(now) = self.store.time().await {
            self.note_clock(OtherClock::Store, now);
        }
    }

    fn note_clock(&self, other: OtherClock, theirs: SystemTime) {
        let (apart, sign) = match self.clock.now().duration_since(theirs) {
            Ok(ahead) => (ahead, 1),
            Err(behind) => (behind.duration(), -1),
        };
        let seconds = f64::from(sign) * apart.as_secs_f64();
        self.metrics.clock_skew(other, seconds);
        let whole = i64::try_from(apart.as_secs()).unwrap_or(i64::MAX);
        match self.skew.news(other, apart) {
            Some(News::Apart) => log::warn!(
                event = "clock.apart", other = other.as_str(), seconds = i64::from(sign) * whole;
                "proofs are dated by a clock that is apart from another"
            ),
            Some(News::Together) => log::info!(
                event = "clock.together", other = other.as_str();
                "the clocks agree again"
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
        let skew = Skew::default();
        let second = Duration::from_secs(1);
        let told =
            [0, 5, 6, 3600, 4, 0, 6].map(|seconds| skew.news(OtherClock::Store, second * seconds));
        let (apart, together) = (Some(News::Apart), Some(News::Together));
        assert_eq!(told, [None, None, apart, None, together, None, apart]);
        assert_eq!(skew.news(OtherClock::Machine, second * 6), apart);
    }
}
