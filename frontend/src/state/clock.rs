//! Notices that the computer slept.

use std::time::Duration;

/// Two looks at the clocks differ by this much at least when something happened
/// between them: timers are late, but not by that.
const MIN_JUMP: Duration = Duration::from_secs(5);

/// Compares the clock that counts since the page was opened, which may stand still
/// while the computer sleeps, with the time of day, which does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    last: Option<(Duration, Duration)>,
}

impl Clock {
    /// A look at both clocks: how much more the time of day moved since the last
    /// one, where that is a jump. A clock that was set back says nothing.
    pub fn tick(&mut self, since_open: Duration, wall: Duration) -> Option<Duration> {
        let last = self.last.replace((since_open, wall));
        let (last_open, last_wall) = last?;
        let awake = since_open.saturating_sub(last_open);
        let slept = wall.saturating_sub(last_wall).saturating_sub(awake);
        (slept >= MIN_JUMP).then_some(slept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_the_computer_slept_is_noticed_once() {
        let mut clock = Clock::default();
        assert_eq!(clock.tick(seconds(1), seconds(1_000)), None);
        assert_eq!(clock.tick(seconds(2), seconds(1_001)), None);
        // A quarter of an hour in which the page's clock stood still.
        assert_eq!(clock.tick(seconds(3), seconds(1_902)), Some(seconds(900)));
        assert_eq!(clock.tick(seconds(4), seconds(1_903)), None);
    }

    #[test]
    fn late_timers_and_a_clock_set_back_are_no_sleep() {
        let mut clock = Clock::default();
        clock.tick(seconds(1), seconds(1_000));
        // Both clocks went on: the page's already counts it.
        assert_eq!(clock.tick(seconds(601), seconds(1_600)), None);
        assert_eq!(clock.tick(seconds(602), seconds(1_000)), None);
        assert_eq!(clock.tick(seconds(603), seconds(1_001)), None);
    }
}
