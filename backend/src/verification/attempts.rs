//! Delivery status: from Plivo's callbacks, and by polling Plivo while somebody watches.
//!
//! The status is in the store, so callbacks and watchers may be on different instances.

use std::{num::NonZeroU32, time::Duration};

use countersign_core::{
    AttemptUpdate, CountryCode, DeliveryChange, UpstreamAttempt,
    delivery::match_attempts,
    transitions::{PollTurn, RecordAttempts},
};
use countersign_shared::session::AttemptStatus;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::{Refusal, SessionView, Verification, store_deadline, test_numbers};

/// Polling interval of a Plivo session, over all watchers.
const POLL_INTERVAL: Duration = Duration::from_secs(3);
/// Polling interval if there are callbacks, which can be lost.
const POLL_INTERVAL_BESIDE_CALLBACKS: Duration = Duration::from_secs(20);
/// Maximum polls per second of this instance. Plivo allows an account 300 requests in five
/// seconds (reference: transport), which sends need.
const MAX_POLLS_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Polling settings.
pub(super) struct PollInterval {
    interval: Duration,
    all: DefaultDirectRateLimiter,
}

impl PollInterval {
    pub(super) fn new(has_callbacks: bool) -> Self {
        Self {
            interval: if has_callbacks {
                POLL_INTERVAL_BESIDE_CALLBACKS
            } else {
                POLL_INTERVAL
            },
            all: RateLimiter::direct(Quota::per_second(MAX_POLLS_PER_SECOND)),
        }
    }
}

impl Verification {
    /// The session's deliveries, oldest first. If Plivo does not answer, the known status
    /// stays: reading a session never fails for that.
    pub async fn attempts(&self, view: &SessionView) -> Result<Vec<UpstreamAttempt>, Refusal> {
        let deliveries = &view.session.deliveries;
        let upstream = &view.session.upstream;
        let poll = PollTurn {
            upstream: upstream.key.clone(),
            interval: self.polling.interval,
            rules: self.rules.clone(),
        };
        let poll = self.store.read(poll, store_deadline()).await?;
        let known = match_attempts(deliveries, &poll.attempts);
        if self.is_test(view) {
            return Ok(test_numbers::delivered(known));
        }
        let is_open = known
            .iter()
            .any(|attempt| attempt.status != AttemptStatus::Delivered);
        let is_wanted = is_open || self.wants_charges(view);
        if !poll.is_turn || !is_wanted || self.polling.all.check().is_err() {
            return Ok(known);
        }
        let number = &view.contact.recipient;
        let Some(upstream_id) = self.keys.open_upstream(number, &upstream.id) else {
            return Ok(known);
        };
        let Ok(retrieved) = self.plivo.retrieve(&upstream_id).await else {
            return Ok(known);
        };
        self.record_charges(view, retrieved.charges).await?;
        let updates = retrieved.attempts.into_iter().enumerate();
        let record = RecordAttempts {
            upstream: upstream.key.clone(),
            updates: updates
                .map(|(index, attempt)| AttemptUpdate { index, attempt })
                .collect(),
            rules: self.rules.clone(),
        };
        let recorded = self.store.run(record, store_deadline()).await?;
        let country = CountryCode::of_number(number);
        self.note_changes(&recorded.changes, country, &upstream_id, "");
        Ok(match_attempts(deliveries, &recorded.attempts))
    }

    /// Whether the last delivery has failed.
    pub(super) async fn has_failed(&self, view: &SessionView) -> Result<bool, Refusal> {
        let attempts = self.attempts(view).await?;
        let last = attempts.last().map(|attempt| attempt.status);
        Ok(last == Some(AttemptStatus::Undelivered))
    }

    /// Counts and logs changes of delivery status. Plivo's support asks for its session id;
    /// its error code comes only with callbacks.
    pub(super) fn note_changes(
        &self,
        changes: &[DeliveryChange],
        country: CountryCode,
        upstream_id: &str,
        error_code: &str,
    ) {
        for change in changes {
            match change.status {
                AttemptStatus::Delivered => self.metrics.send_delivered(country, change.channel),
                AttemptStatus::Undelivered => {
                    self.metrics.send_undelivered(country, change.channel);
                }
                _ => {}
            }
            log_change(change, upstream_id, error_code);
        }
    }
}

/// A delivery's status, and whether to poll Plivo for it.
pub(super) fn log_change(change: &DeliveryChange, upstream_id: &str, error_code: &str) {
    log::info!(
        event = "delivery.changed",
        channel = change.channel.as_str(),
        status:serde = change.status,
        error_code = error_code,
        upstream_id = upstream_id,
        send_request_id = change.request_id.as_deref().unwrap_or_default();
        "a delivery has come further"
    );
}
