//! How one verification runs.

use std::time::Duration;

use countersign_shared::Locale;

use crate::ConversionRule;

/// How one verification runs.
#[derive(Clone, Debug)]
pub struct SessionRules {
    /// Digits in a code.
    pub otp_length: u8,
    /// A session's life from the first send.
    pub session_lifetime: Duration,
    /// Codes that may be tried in one session.
    pub checks_per_session: u8,
    /// The resend backoff: the wait after the first send, the second and so on; the
    /// last one holds from then on. Never empty.
    pub resend_waits: Vec<Duration>,
    /// The language of a message when the caller names none.
    pub default_locale: Locale,
    /// A verified number owes no resend backoff: in sandbox, so that whoever tries the page
    /// twice with one number is not held up.
    pub verified_owes_no_wait: bool,
    /// How long a number that was verified is known; none remembers no number.
    pub known_numbers_for: Option<Duration>,
    /// When too few codes are entered somewhere; none counts nothing.
    pub conversion: Option<ConversionRule>,
}

impl SessionRules {
    /// How long after the `sends`th send (from 1) the next may follow.
    pub fn wait_after(&self, sends: u32) -> Duration {
        let last = self.resend_waits.len().saturating_sub(1);
        let index = usize::try_from(sends.saturating_sub(1)).unwrap_or(last);
        let wait = self.resend_waits.get(index.min(last));
        wait.copied().unwrap_or_default()
    }

    /// Rules for tests.
    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        Self {
            otp_length: 6,
            session_lifetime: Duration::from_mins(10),
            checks_per_session: 5,
            resend_waits: [30, 60, 120, 300].map(Duration::from_secs).to_vec(),
            default_locale: Locale::parse("en").unwrap(),
            verified_owes_no_wait: false,
            known_numbers_for: None,
            conversion: None,
        }
    }
}
