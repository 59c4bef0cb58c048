//! How far each delivery has come, asked of Plivo at a gentle pace.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use countersign_shared::{SessionId, session::AttemptStatus};

use super::Verification;
use crate::store::Session;

/// How long an answer holds, however many watch: Plivo allows an account 300
/// requests in five seconds (reference: transport), and the sends need them.
const PACE: Duration = Duration::from_secs(3);

/// The last answer for each session that is watched.
#[derive(Default)]
pub(super) struct Deliveries(Mutex<HashMap<SessionId, Known>>);

#[derive(Clone)]
struct Known {
    asked_at: SystemTime,
    statuses: Vec<AttemptStatus>,
}

impl Deliveries {
    /// What is known, and whether it is this caller's turn to ask again.
    fn look(&self, session: &Session, now: SystemTime) -> (Vec<AttemptStatus>, bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.entry(session.id).or_insert_with(|| Known {
            asked_at: SystemTime::UNIX_EPOCH,
            statuses: Vec::new(),
        });
        let turn = entry.asked_at + PACE <= now;
        if turn {
            entry.asked_at = now;
        }
        (entry.statuses.clone(), turn)
    }

    fn learn(&self, id: SessionId, statuses: Vec<AttemptStatus>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = known.get_mut(&id) {
            entry.statuses = statuses;
        }
    }

    /// Forgets whom nobody watches any more.
    pub(super) fn sweep(&self, now: SystemTime) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, entry| entry.asked_at + 20 * PACE > now);
    }
}

impl Verification {
    /// The status of each of the session's deliveries, oldest first. When Plivo
    /// does not answer, what was known stays: a session's own answer never
    /// waits for more than that.
    pub async fn attempts(&self, session: &Session) -> Vec<AttemptStatus> {
        let (mut statuses, turn) = self.deliveries.look(session, self.clock.now());
        if turn && let Ok(upstream) = self.plivo.retrieve(&session.upstream_id).await {
            statuses = matched(session, &upstream);
            self.deliveries.learn(session.id, statuses.clone());
        }
        statuses.resize(session.deliveries.len(), AttemptStatus::Queued);
        statuses
    }
}

/// Plivo's session may hold attempts of other sessions of this number, before
/// ours and between them: matched from the newest on, by channel.
fn matched(
    session: &Session,
    upstream: &[(countersign_shared::Channel, AttemptStatus)],
) -> Vec<AttemptStatus> {
    let mut upstream = upstream.iter().rev();
    let mut statuses = session
        .deliveries
        .iter()
        .rev()
        .map(|delivery| {
            upstream
                .find(|(channel, _)| *channel == delivery.channel)
                .map_or(AttemptStatus::Queued, |(_, status)| *status)
        })
        .collect::<Vec<_>>();
    statuses.reverse();
    statuses
}
