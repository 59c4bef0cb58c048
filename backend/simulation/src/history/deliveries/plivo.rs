//! A model of what is stored about one of Plivo's sessions.

use countersign_core::{AttemptUpdate, DeliveryChange, UpstreamAttempt};
use countersign_shared::{Channel, session::AttemptStatus};

use crate::{history::accounts::Delivery, step_outcomes::rank};

#[derive(Clone, Debug, Default)]
pub(super) struct Plivo {
    /// Until when it is stored.
    pub(super) until: u64,
    pub(super) number: Option<usize>,
    pub(super) began_at: u64,
    /// Attempts that are accounted for.
    pub(super) recorded: usize,
    pub(super) is_used: bool,
    pub(super) polled_at: u64,
    pub(super) attempts: Vec<UpstreamAttempt>,
    /// The request that asked for each attempt.
    pub(super) requests: Vec<Option<String>>,
}

impl Plivo {
    /// The first attempt from `from` that nobody has asked for yet is of this request.
    pub(super) fn asked_by(&mut self, request: &str, from: usize) {
        let free = (from..64).find(|it| self.requests.get(*it).is_none_or(Option::is_none));
        if let Some(free) = free {
            let length = self.requests.len().max(free + 1);
            self.requests.resize(length, None);
            self.requests[free] = Some(request.to_owned());
        }
    }

    pub(super) fn change(&self, update: &AttemptUpdate) -> DeliveryChange {
        DeliveryChange {
            channel: update.attempt.channel,
            status: update.attempt.status,
            request_id: self.requests.get(update.index).cloned().flatten(),
        }
    }

    /// An attempt is reported. Returns whether its status has advanced.
    pub(super) fn report(&mut self, update: &AttemptUpdate) -> bool {
        while self.attempts.len() <= update.index {
            self.attempts.push(queued(update.attempt.channel));
        }
        let known = &mut self.attempts[update.index];
        known.channel = update.attempt.channel;
        let has_advanced = rank(update.attempt.status) > rank(known.status);
        if has_advanced {
            known.status = update.attempt.status;
        }
        known.reason = match known.status {
            AttemptStatus::Undelivered => known.reason.or(update.attempt.reason),
            _ => None,
        };
        has_advanced
    }

    /// The attempt behind each delivery: the newest of its channel that is older than
    /// those behind later ones.
    pub(super) fn behind(&self, deliveries: &[Delivery]) -> Vec<UpstreamAttempt> {
        let mut end = self.attempts.len();
        let mut behind = Vec::new();
        for delivery in deliveries.iter().rev() {
            let older = &self.attempts[..end];
            let found = older.iter().rposition(|it| it.channel == delivery.channel);
            end = found.unwrap_or(0);
            behind.push(found.map_or(queued(delivery.channel), |index| self.attempts[index]));
        }
        behind.reverse();
        behind
    }
}

fn queued(channel: Channel) -> UpstreamAttempt {
    UpstreamAttempt {
        channel,
        status: AttemptStatus::Queued,
        reason: None,
    }
}
