//! Configuration of a verification session.

use std::time::Duration;

use countersign_shared::Locale;

use crate::ConversionRule;

/// Configuration of a verification session.
#[derive(Clone, Debug)]
pub struct SessionRules {
    /// Number of digits in a code.
    pub otp_length: u8,
    /// A session's lifetime, from the first send.
    pub session_lifetime: Duration,
    /// Number of checks allowed in one session.
    pub checks_per_session: u8,
    /// The resend backoff: the wait after the first send, the second and so on; the last
    /// one applies from then on. Never empty.
    pub resend_waits: Vec<Duration>,
    /// The language of a message if the caller names none.
    pub default_locale: Locale,
    /// Whether a verification resets the resend backoff: in sandbox, so that nobody who
    /// tries the page twice with one number has to wait.
    pub verified_owes_no_wait: bool,
    /// How long a verified number stays known; `None` disables known numbers.
    pub known_numbers_for: Option<Duration>,
    /// The conversion breaker's rule; `None` counts nothing.
    pub conversion: Option<ConversionRule>,
}

impl SessionRules {
    /// The wait after send number `sends` (1-based) until the next one.
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
