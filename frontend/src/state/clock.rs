//! Detects that the computer slept.

use std::time::Duration;

/// How far the two clocks must drift apart between two ticks to count as sleep: late
/// timers move both alike.
const MIN_JUMP: Duration = Duration::from_secs(5);

/// Compares the clock that counts since the page was opened, which may stand still
/// while the computer sleeps, with the time of day, which does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    last: Option<(Duration, Duration)>,
    slept: Duration,
    wakes: u32,
    is_waking: bool,
}

/// The computer woke up. The page asks the service how the session stands, and
/// returns this with the answer, to [`Clock::woken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    number: u32,
}

impl Clock {
    /// Reads both clocks. A wake where the time of day has jumped ahead since the last
    /// tick; a clock that was set back says nothing.
    pub fn tick(&mut self, since_open: Duration, wall: Duration) -> Option<Wake> {
        let last = self.last.replace((since_open, wall));
        let (last_open, last_wall) = last?;
        let awake = since_open.saturating_sub(last_open);
        let slept = wall.saturating_sub(last_wall).saturating_sub(awake);
        if slept < MIN_JUMP {
            return None;
        }
        self.slept += slept;
        self.wakes += 1;
        self.is_waking = true;
        Some(Wake { number: self.wakes })
    }

    /// How long the clock that counts since the page was opened has stood still in all.
    pub const fn slept(&self) -> Duration {
        self.slept
    }

    /// True until the request that followed the latest wake has ended. Until then the
    /// page expires nothing by its own clock, which may be wrong.
    pub const fn is_waking(&self) -> bool {
        self.is_waking
    }

    /// The request that followed this wake has ended. One that was overtaken by a
    /// later sleep changes nothing: its answer is from before.
    pub const fn woken(&mut self, wake: Wake) {
        if wake.number == self.wakes {
            self.is_waking = false;
        }
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
        assert!(clock.tick(seconds(3), seconds(1_902)).is_some());
        assert_eq!(clock.slept(), seconds(900));
        assert_eq!(clock.tick(seconds(4), seconds(1_903)), None);
        assert_eq!(clock.slept(), seconds(900));
    }

    #[test]
    fn late_timers_and_a_clock_set_back_are_no_sleep() {
        let mut clock = Clock::default();
        clock.tick(seconds(1), seconds(1_000));
        // Both clocks went on: the page's already counts it.
        assert_eq!(clock.tick(seconds(601), seconds(1_600)), None);
        assert_eq!(clock.tick(seconds(602), seconds(1_000)), None);
        assert_eq!(clock.tick(seconds(603), seconds(1_001)), None);
        assert!(!clock.is_waking());
    }

    #[test]
    fn the_page_is_awake_once_the_request_of_the_latest_wake_has_ended() {
        let mut clock = Clock::default();
        clock.tick(seconds(1), seconds(1_000));
        let first = clock.tick(seconds(2), seconds(2_000)).unwrap();
        let second = clock.tick(seconds(3), seconds(3_000)).unwrap();
        clock.woken(first);
        assert!(clock.is_waking(), "the second request is outstanding");
        clock.woken(second);
        assert!(!clock.is_waking());
    }

    #[test]
    fn an_answer_overtaken_by_a_later_wake_does_not_put_the_page_back_to_sleep() {
        let mut clock = Clock::default();
        clock.tick(seconds(1), seconds(1_000));
        let first = clock.tick(seconds(2), seconds(2_000)).unwrap();
        let second = clock.tick(seconds(3), seconds(3_000)).unwrap();
        clock.woken(second);
        assert!(!clock.is_waking());
        clock.woken(first);
        assert!(!clock.is_waking());
    }
}
