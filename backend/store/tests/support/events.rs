//! The events that a test's own thread logs.

use std::cell::RefCell;

thread_local! {
    static EVENTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if let Some(event) = record.key_values().get("event".into()) {
            EVENTS.with_borrow_mut(|events| events.push(event.to_string()));
        }
    }

    fn flush(&self) {}
}

/// Keeps events from now on.
pub(crate) fn keep() {
    // Another test may have done it.
    log::set_logger(&Log).ok();
    log::set_max_level(log::LevelFilter::Info);
}

/// The events so far, of a test whose runtime has one thread.
pub(crate) fn kept() -> Vec<String> {
    EVENTS.with_borrow(Clone::clone)
}
