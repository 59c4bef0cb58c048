//! The time of a store that has no server to ask.

use std::time::{Duration, SystemTime};

use countersign_core::Millis;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now. Never runs backwards.
    fn now(&self) -> Millis;
}

/// The machine's clock: read once, then carried on by the time since boot, so that
/// a jump of the wall clock changes no expiry and no wait.
pub struct SystemClock {
    started: SystemTime,
    started_since_boot: Duration,
}

/// Time since the machine was started, asleep or not. Nobody can set it.
fn since_boot() -> Duration {
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
    fn now(&self) -> Millis {
        Millis::from(self.started + since_boot().saturating_sub(self.started_since_boot))
    }
}
