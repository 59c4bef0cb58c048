//! Resend backoff: the wait between codes to one number, longer after each. It belongs to
//! the number, not the session: starting a new session does not reset it.

use serde::{Deserialize, Serialize};

use crate::{Millis, SessionRules};

/// The number of recent sends to a number, and the time of the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResendBackoff {
    sends: u32,
    last_at: Millis,
}

impl ResendBackoff {
    /// The backoff in effect now: reset once no session of the last send can be live.
    /// Also returns whether its time was moved because the clock was set back, i.e. the
    /// row must be saved.
    pub(crate) fn current(self, rules: &SessionRules, now: Millis) -> (Self, bool) {
        if self.ends_at(rules) <= now {
            (Self::default(), false)
        } else if self.last_at > now {
            let last_at = now;
            (Self { last_at, ..self }, true)
        } else {
            (self, false)
        }
    }

    /// When the next send will be accepted.
    pub(crate) fn next_at(self, rules: &SessionRules) -> Millis {
        if self.sends == 0 {
            return Millis(0);
        }
        self.last_at.after(rules.wait_after(self.sends))
    }

    /// The backoff after one more send.
    pub(crate) fn after_send(self, now: Millis) -> Self {
        Self {
            sends: self.sends + 1,
            last_at: now,
        }
    }

    /// When the backoff resets.
    pub(crate) fn ends_at(self, rules: &SessionRules) -> Millis {
        if self.sends == 0 {
            return Millis(0);
        }
        let lives_until = self.last_at.after(rules.session_lifetime);
        lives_until.max(self.next_at(rules))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn rules() -> SessionRules {
        SessionRules {
            resend_waits: [30, 60, 300].map(Duration::from_secs).to_vec(),
            ..SessionRules::sample()
        }
    }

    #[test]
    fn waits_follow_the_configured_list_and_the_last_one_repeats() {
        let rules = rules();
        let mut backoff = ResendBackoff::default();
        let mut now = Millis(1_000_000);
        assert_eq!(backoff.next_at(&rules), Millis(0));
        for seconds in [30, 60, 300, 300] {
            backoff = backoff.after_send(now);
            let next_at = now.after(Duration::from_secs(seconds));
            assert_eq!(backoff.next_at(&rules), next_at);
            now = next_at;
        }
        let forgotten_at = backoff.ends_at(&rules);
        let just_before = Millis(forgotten_at.0 - 1);
        assert_eq!(backoff.current(&rules, just_before), (backoff, false));
        let reset = (ResendBackoff::default(), false);
        assert_eq!(backoff.current(&rules, forgotten_at), reset);
    }

    proptest! {
        /// Whatever the clock does, nobody waits longer than the longest configured wait.
        #[test]
        fn no_wait_is_longer_than_the_longest(sends in 1..9_u32, last_at: u32, now: u32) {
            let rules = rules();
            let (last_at, now) = (Millis(last_at.into()), Millis(now.into()));
            let (backoff, _) = ResendBackoff { sends, last_at }.current(&rules, now);
            let wait = now.until(backoff.next_at(&rules));
            prop_assert!(wait <= Duration::from_mins(5));
        }
    }
}
