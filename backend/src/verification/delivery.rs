//! How far each delivery has come: told by Plivo's callbacks, and asked of Plivo
//! while somebody watches.
//!
//! What is known is in the store, so it does not matter on which instance a
//! callback lands and on which somebody watches.

use std::{num::NonZeroU32, time::Duration};

use countersign_shared::{Channel, PhoneNumber, session::AttemptStatus};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::{Refusal, Verification, recipient};
use crate::{
    attempt::{Noted, UpstreamAttempt},
    metrics::CountryCode,
    store::Session,
};

/// How often Plivo is asked about one of its sessions, however many watch.
const PACE: Duration = Duration::from_secs(3);
/// The same where callbacks tell: they get lost, too.
const PACE_BESIDE_CALLBACKS: Duration = Duration::from_secs(20);
/// How often this instance asks in all. Plivo allows an account 300 requests in
/// five seconds (reference: transport), and the sends need them.
const ASKED_A_SECOND: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// When Plivo is asked.
pub(super) struct Pace {
    pace: Duration,
    all: DefaultDirectRateLimiter,
}

impl Pace {
    pub(super) fn new(has_callbacks: bool) -> Self {
        Self {
            pace: if has_callbacks {
                PACE_BESIDE_CALLBACKS
            } else {
                PACE
            },
            all: RateLimiter::direct(Quota::per_second(ASKED_A_SECOND)),
        }
    }
}

impl Verification {
    /// Each of the session's deliveries, oldest first. When Plivo does not answer,
    /// what was known stays: a session's own answer never fails for that.
    pub async fn attempts(&self, session: &Session) -> Result<Vec<UpstreamAttempt>, Refusal> {
        let upstream_id = &session.upstream_id;
        let watched = self.store.watch(upstream_id, self.pace.pace).await?;
        let known = matched(session, &watched.attempts);
        let is_open = known
            .iter()
            .any(|attempt| attempt.status != AttemptStatus::Delivered);
        let is_wanted = is_open || self.wants_charges(session);
        if !watched.is_turn || !is_wanted || self.pace.all.check().is_err() {
            return Ok(known);
        }
        let Ok(retrieved) = self.plivo.retrieve(upstream_id).await else {
            return Ok(known);
        };
        self.note_charges(session, retrieved.charges).await?;
        let noted = retrieved.attempts.into_iter().enumerate().collect();
        let arrived = self.store.note_attempts(upstream_id, noted, false).await?;
        self.count_arrived(&arrived, Some(&session.recipient));
        let watched = self.store.watch(upstream_id, self.pace.pace).await?;
        Ok(matched(session, &watched.attempts))
    }

    /// Whether the last delivery is known not to arrive.
    pub(super) async fn has_failed(&self, session: &Session) -> Result<bool, Refusal> {
        let attempts = self.attempts(session).await?;
        let last = attempts.last().map(|attempt| attempt.status);
        Ok(last == Some(AttemptStatus::Undelivered))
    }

    /// Plivo said something of an attempt: a hint, and a reason to ask.
    pub async fn hint(
        &self,
        upstream_id: &str,
        noted: Noted,
        recipient: Option<&PhoneNumber>,
    ) -> Result<(), Refusal> {
        let noted = self.store.note_attempts(upstream_id, vec![noted], true);
        self.count_arrived(&noted.await?, recipient);
        Ok(())
    }

    fn count_arrived(&self, arrived: &[Channel], recipient: Option<&PhoneNumber>) {
        let country = recipient.map_or(CountryCode::of(""), recipient::country_code);
        for channel in arrived {
            self.metrics.send_delivered(country, *channel);
        }
    }
}

/// Plivo's session may hold attempts of other sessions of this number, before
/// ours and between them: matched from the newest on, by channel.
fn matched(session: &Session, upstream: &[UpstreamAttempt]) -> Vec<UpstreamAttempt> {
    let mut upstream = upstream.iter().rev();
    let mut attempts: Vec<_> = session
        .deliveries
        .iter()
        .rev()
        .map(|delivery| {
            let attempt = upstream.find(|attempt| attempt.channel == delivery.channel);
            attempt.copied().unwrap_or(UpstreamAttempt {
                channel: delivery.channel,
                status: AttemptStatus::Queued,
                reason: None,
            })
        })
        .collect();
    attempts.reverse();
    attempts
}
