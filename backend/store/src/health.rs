//! Logs once when a store begins to fail and once when it works again, however many callers
//! notice.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

#[derive(Default)]
pub(crate) struct Health {
    is_failing: AtomicBool,
}

impl Health {
    pub(crate) fn works(&self) {
        if self.is_failing.swap(false, Ordering::Relaxed) {
            log::info!(event = "store.recovered"; "the store works again");
        }
    }

    pub(crate) fn fails(&self, reason: &dyn fmt::Display) {
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            log::error!(event = "store.failed"; "the store failed: {reason}");
        }
    }
}
