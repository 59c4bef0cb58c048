//! The clock, as a trait, so that tests can move it.

use std::time::{Duration, SystemTime};

/// A clock.
pub trait Clock: Send + Sync {
    /// The current wall-clock time. It never runs backwards.
    fn now(&self) -> SystemTime;
}

/// The machine's clock: the wall clock at the start plus the time since boot, so that a
/// jump of the wall clock changes no expiry and no wait.
pub struct SystemClock {
    started: SystemTime,
    started_since_boot: Duration,
}

/// Time since boot, suspension included. It cannot be set.
pub fn since_boot() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = rustix::time::ClockId::Monotonic;
    Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            started_since_boot: since_boot(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        self.started + since_boot().saturating_sub(self.started_since_boot)
    }
}

/// `later - now`, or zero once `later` has passed.
pub fn until(later: SystemTime, now: SystemTime) -> Duration {
    later.duration_since(now).unwrap_or_default()
}

/// Whole seconds, rounded up: after waiting that long the duration has passed.
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
