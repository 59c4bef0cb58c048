//! A code whose charges are to be collected, and the moments at which they are asked for.

use std::time::{Duration, SystemTime};

use countersign_core::{ApplicationId, CountryCode, Key, Millis};
use serde::{Deserialize, Serialize};

use super::MINUTE;

/// When a code is asked for: soon, when it has arrived; before its session's end, while
/// what was expected can be corrected; and after it, for what came late.
pub(super) fn moments(lifetime: Duration) -> [Duration; 4] {
    [
        2 * MINUTE,
        lifetime.saturating_sub(MINUTE).max(2 * MINUTE),
        lifetime + 2 * MINUTE,
        lifetime + 60 * MINUTE,
    ]
}

/// How long a code may be asked for, also where Plivo does not answer at the last moment.
pub(in crate::verification) fn kept_for(lifetime: Duration) -> Duration {
    lifetime + 75 * MINUTE
}

/// A code whose charges are not all known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verification) struct Waiting {
    pub(in crate::verification) session: Key,
    pub(in crate::verification) application: ApplicationId,
    pub(in crate::verification) country: CountryCode,
    pub(in crate::verification) upstream_id: String,
    pub(in crate::verification) sent_at: SystemTime,
    /// How often it was asked for.
    pub(super) asked: usize,
}

/// The same as it is sealed. It names nobody: who has Plivo's account finds the number by
/// Plivo's session.
#[derive(Serialize, Deserialize)]
struct Content {
    session: Key,
    application: ApplicationId,
    country: String,
    upstream_id: String,
    sent_at: Millis,
}

impl Waiting {
    pub(in crate::verification) fn new(
        session: Key,
        application: ApplicationId,
        country: CountryCode,
        upstream_id: String,
        sent_at: SystemTime,
    ) -> Self {
        Self {
            session,
            application,
            country,
            upstream_id,
            sent_at,
            asked: 0,
        }
    }

    pub(super) fn to_text(&self) -> String {
        let content = Content {
            session: self.session.clone(),
            application: self.application.clone(),
            country: self.country.to_string(),
            upstream_id: self.upstream_id.clone(),
            sent_at: self.sent_at.into(),
        };
        serde_json::to_string(&content).expect("plain values are JSON")
    }

    /// As another process left it: its last moment that has passed may not have been.
    pub(super) fn from_text(text: &str, now: SystemTime, lifetime: Duration) -> Option<Self> {
        let content: Content = serde_json::from_str(text).ok()?;
        let sent_at: SystemTime = content.sent_at.into();
        let passed = passed(sent_at, now, lifetime);
        Some(Self {
            session: content.session,
            application: content.application,
            country: CountryCode::of(&content.country),
            upstream_id: content.upstream_id,
            sent_at,
            asked: passed.saturating_sub(1),
        })
    }
}

/// How many of a code's moments have passed.
pub(super) fn passed(sent_at: SystemTime, now: SystemTime, lifetime: Duration) -> usize {
    let moments = moments(lifetime).into_iter();
    moments.filter(|after| sent_at + *after <= now).count()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const LIFETIME: Duration = Duration::from_mins(10);

    pub(in super::super) fn waiting(sent_at: SystemTime) -> Waiting {
        Waiting::new(
            Key::new("session/ab"),
            ApplicationId::parse("example").unwrap(),
            CountryCode::of("US"),
            "a1b2".to_owned(),
            sent_at,
        )
    }

    #[test]
    fn what_a_process_left_goes_on_at_its_last_moment_that_has_passed() {
        let sent_at = SystemTime::UNIX_EPOCH + Duration::from_hours(490_000);
        let text = waiting(sent_at).to_text();
        for (minutes, asked) in [(1, 0), (2, 0), (9, 1), (11, 1), (12, 2), (69, 2), (71, 3)] {
            let now = sent_at + MINUTE * minutes;
            let found = Waiting::from_text(&text, now, LIFETIME).unwrap();
            let expected = Waiting {
                asked,
                ..waiting(sent_at)
            };
            assert_eq!(found, expected, "{minutes}");
        }
    }
}
