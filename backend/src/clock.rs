//! The time, from one place, so that tests can move it.

use std::time::{Duration, Instant, SystemTime};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, in wall-clock terms. Never runs backwards.
    fn now(&self) -> SystemTime;
}

/// The machine's clock: read once, then carried on by the monotonic one, so that
/// a jump of the wall clock changes no expiry and no wait.
pub struct SystemClock {
    started: SystemTime,
    monotonic: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            monotonic: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        self.started + self.monotonic.elapsed()
    }
}

/// `later - earlier`, or nothing left when `later` has passed.
pub fn until(later: SystemTime, now: SystemTime) -> Duration {
    later.duration_since(now).unwrap_or_default()
}

/// Whole seconds, rounded up: wait that long and the time has passed.
pub fn whole_seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(whole_seconds_up(Duration::ZERO), 0);
        assert_eq!(whole_seconds_up(Duration::from_nanos(1)), 1);
        assert_eq!(whole_seconds_up(Duration::from_secs(2)), 2);
    }
}
