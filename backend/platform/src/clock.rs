//! The time, from one place, so that tests can move it.

use std::time::{Duration, SystemTime};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, in wall-clock terms. Never runs backwards.
    fn now(&self) -> SystemTime;
}

/// The machine's clock: read once, then carried on by the time since boot, so
/// that a jump of the wall clock changes no expiry and no wait.
pub struct SystemClock {
    started: SystemTime,
    started_since_boot: Duration,
}

/// The time since the machine was started, asleep or not. Nobody can set it.
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
