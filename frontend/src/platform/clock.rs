//! The browser's clocks, and intervals.

use std::time::Duration;

use leptos::prelude::{on_cleanup, set_interval_with_handle};
use web_sys::js_sys::Date;

/// Monotonic time since the page was opened. In some browsers it stands still while the
/// computer sleeps.
pub(crate) fn since_open() -> Duration {
    let milliseconds = super::window()
        .and_then(|window| window.performance())
        .map_or(0.0, |performance| performance.now());
    from_milliseconds(milliseconds)
}

/// The wall clock, which jumps when it is set.
pub(crate) fn wall() -> Duration {
    from_milliseconds(Date::now())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a millisecond does not count, and a cast saturates"
)]
fn from_milliseconds(milliseconds: f64) -> Duration {
    Duration::from_millis(milliseconds as u64)
}

/// Runs at an interval until the component is unmounted.
pub(crate) fn every(pause: Duration, work: impl Fn() + 'static) {
    if let Ok(interval) = set_interval_with_handle(work, pause) {
        on_cleanup(move || interval.clear());
    }
}
