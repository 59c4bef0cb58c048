//! Deadlines on the page's clock.

use std::time::Duration;

/// A moment on the page's monotonic clock. Stored as a moment rather than counted down,
/// so that a tab shows the right time as soon as it wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Duration);

impl Deadline {
    /// That many seconds from now.
    pub fn after(now: Duration, seconds: u64) -> Self {
        Self(now.saturating_add(Duration::from_secs(seconds)))
    }

    /// Keeps the earlier deadline if the two differ only by rounding and network
    /// latency, so that a visible countdown does not jump.
    #[must_use]
    pub fn or_near(self, earlier: Option<Self>) -> Self {
        earlier
            .filter(|earlier| earlier.0.abs_diff(self.0) < Duration::from_secs(3))
            .unwrap_or(self)
    }

    /// Whole seconds left, rounded up: zero means that the deadline has passed.
    pub fn seconds_left(self, now: Duration) -> u64 {
        let left = self.0.saturating_sub(now);
        left.as_secs() + u64::from(left.subsec_nanos() > 0)
    }

    /// True if the deadline has passed.
    pub fn is_over(self, now: Duration) -> bool {
        self.0 <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up_and_end_at_zero() {
        let deadline = Deadline::after(Duration::from_millis(1_500), 30);
        for (now, left) in [
            (1_500, 30),
            (1_501, 30),
            (2_500, 29),
            (31_499, 1),
            (31_500, 0),
            (99_999, 0),
        ] {
            assert_eq!(deadline.seconds_left(Duration::from_millis(now)), left);
        }
    }

    #[test]
    fn over_means_no_second_left() {
        let deadline = Deadline::after(Duration::ZERO, 1);
        assert!(!deadline.is_over(Duration::from_millis(999)));
        assert!(deadline.is_over(Duration::from_secs(1)));
    }

    #[test]
    fn a_countdown_does_not_jump_for_a_second() {
        let shown = Deadline::after(Duration::ZERO, 30);
        let near = Deadline::after(Duration::from_secs(4), 25);
        let moved = Deadline::after(Duration::from_secs(4), 60);
        assert_eq!(near.or_near(Some(shown)), shown);
        assert_eq!(moved.or_near(Some(shown)), moved);
        assert_eq!(moved.or_near(None), moved);
    }

    #[test]
    fn a_wait_beyond_all_time_does_not_overflow() {
        assert!(!Deadline::after(Duration::MAX, u64::MAX).is_over(Duration::from_secs(1)));
    }
}
