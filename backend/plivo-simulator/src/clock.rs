//! The simulator's clock, which tests can advance.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::Notify;

pub(crate) struct Clock {
    wall: SystemTime,
    started: Instant,
    ahead: Mutex<Duration>,
    moved: Notify,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            wall: SystemTime::now(),
            started: Instant::now(),
            ahead: Mutex::default(),
            moved: Notify::new(),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        self.wall + self.started.elapsed() + ahead
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += by;
        self.moved.notify_waiters();
    }

    /// Waits until `time`, or until the clock is advanced past it.
    pub(crate) async fn reach(&self, time: SystemTime) {
        loop {
            let moved = self.moved.notified();
            let Ok(left) = time.duration_since(self.now()) else {
                return;
            };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = moved => {}
            }
        }
    }
}
