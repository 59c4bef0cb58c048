//! One of Plivo's sessions: its number, its attempts and charges as far as they are
//! known, and whether its code was used.
//!
//! Plivo keeps one session per number while its code is valid, so several of our sessions
//! may share one of Plivo's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Key, Millis, Row, Rows, Sealed, SessionRules, Unreadable, UpstreamAttempt,
    charges::ChargeBook,
    delivery::{AttemptChange, DeliveryChange, MAX_ATTEMPTS},
    session::ENDED_TTL,
};

/// One of Plivo's sessions, as a session of ours refers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// Its row.
    pub key: Key,
    /// Plivo's id, sealed so that only the number opens it.
    pub id: Sealed,
}

/// Plivo returned the same session id for two different numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherRecipient;

/// What is known of one of Plivo's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UpstreamRow {
    /// The number's row, once a send was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<Key>,
    /// When it was first seen.
    #[serde(default)]
    began_at: Millis,
    /// Attempts that are accounted for: their send was recorded, or a callback about them
    /// arrived.
    #[serde(default)]
    recorded: usize,
    /// The session of ours that its code verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<Key>,
    /// When Plivo was last polled.
    #[serde(default)]
    pub(crate) polled_at: Millis,
    /// Oldest first.
    #[serde(default)]
    pub(crate) attempts: Vec<UpstreamAttempt>,
    #[serde(default, skip_serializing_if = "ChargeBook::is_empty")]
    pub(crate) charges: ChargeBook,
    /// The id of the request behind each attempt; empty if unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    request_ids: Vec<String>,
}

impl Row for UpstreamRow {
    const KIND: &'static str = "upstream";
}

impl UpstreamRow {
    pub(crate) fn load(rows: &Rows<'_>, key: &Key) -> Result<Self, Unreadable> {
        Ok(rows.get(key)?.unwrap_or_else(|| Self {
            began_at: rows.now(),
            ..Self::default()
        }))
    }

    /// Stores it for as long as a session that refers to it, or that session's id, may be
    /// kept.
    pub(crate) fn save(&self, rows: &mut Rows<'_>, key: &Key, rules: &SessionRules) {
        let kept_for = rules.session_lifetime + ENDED_TTL;
        let expires_at = rows.now().after(kept_for);
        rows.put(key, self, expires_at);
    }

    /// Whether it may belong to `number`: it has none yet, or this one.
    pub(crate) fn is_of(&self, number: &Key) -> bool {
        self.number.as_ref().is_none_or(|known| known == number)
    }

    /// Binds it to `number`.
    pub(crate) fn bind(&mut self, number: &Key) {
        self.number = Some(number.clone());
    }

    /// Records a send to `number` that the request `request_id` asked for.
    pub(crate) fn record_send(
        &mut self,
        number: &Key,
        request_id: &str,
    ) -> Result<(), OtherRecipient> {
        if !self.is_of(number) {
            return Err(OtherRecipient);
        }
        self.bind(number);
        self.asked_by(request_id, self.recorded);
        self.recorded = self.recorded.saturating_add(1);
        Ok(())
    }

    /// Attributes an attempt to the request: the first one from index `from` whose
    /// request is unknown.
    pub(crate) fn asked_by(&mut self, request_id: &str, from: usize) {
        let is_known = |index: &usize| {
            let known = self.request_ids.get(*index);
            known.is_some_and(|known| !known.is_empty())
        };
        let index = (from..MAX_ATTEMPTS).find(|index| !is_known(index));
        if let Some(index) = index {
            let length = self.request_ids.len().max(index + 1);
            self.request_ids.resize(length, String::new());
            request_id.clone_into(&mut self.request_ids[index]);
        }
    }

    /// The index of the first attempt that is not accounted for, or `index` if that is
    /// lower.
    pub(crate) fn first_unknown(&self, index: usize) -> usize {
        self.recorded.min(index)
    }

    /// The changes, each with the request that asked for the delivery.
    pub(crate) fn delivery_changes(&self, changes: &[AttemptChange]) -> Vec<DeliveryChange> {
        changes.iter().map(|it| self.delivery_change(it)).collect()
    }

    pub(crate) fn delivery_change(&self, change: &AttemptChange) -> DeliveryChange {
        let request_id = self.request_ids.get(change.index);
        DeliveryChange {
            channel: change.channel,
            status: change.status,
            request_id: request_id.filter(|id| !id.is_empty()).cloned(),
        }
    }

    /// Whether a recent send may be the attempt with this index (from 0). While its code
    /// is valid, Plivo adds every send to the number to this session; after that, only an
    /// attempt that is not accounted for shows that it still does.
    pub(crate) fn may_hold(&self, index: usize, rules: &SessionRules, now: Millis) -> bool {
        let is_young = self.began_at.after(rules.session_lifetime) > now;
        self.verified.is_none() && (is_young || index >= self.recorded)
    }

    /// Marks the attempt `index` and those before it as accounted for.
    pub(crate) fn recorded_to(&mut self, index: usize) {
        self.recorded = self.recorded.max(index.saturating_add(1));
    }

    /// Takes the turn to poll Plivo, if it is free: once per interval.
    pub(crate) fn take_turn(&mut self, interval: Duration, now: Millis) -> bool {
        // A time that lies ahead is from before the clock was set back.
        let is_free = self.polled_at > now || self.polled_at.after(interval) <= now;
        if is_free {
            self.polled_at = now;
        }
        is_free
    }
}
