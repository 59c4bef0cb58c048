//! A number's row: its resend backoff, its own limits, and its reserved sends.

use countersign_shared::Channel;
use serde::{Deserialize, Serialize};

use crate::{
    Key, Limit, Millis, Row, SessionRules, idempotency::UNDER_WAY_TIMEOUT,
    resend_backoff::ResendBackoff, sliding_window::Counter,
};

/// Reserved sends kept per number, more than are in progress at once; beyond that, the
/// oldest is dropped.
const MAX_RESERVED: usize = 8;

/// A reserved send. It is kept until its session would expire, so that a callback can
/// find it by the number if the answer to the send is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReservedSend {
    /// The session's row.
    pub(crate) session: Key,
    pub(crate) channel: Channel,
    pub(crate) at: Millis,
    /// Its expected price, in millionths of a dollar.
    pub(crate) expected: u64,
    /// Whether the number was known.
    #[serde(default, skip_serializing_if = "crate::delivery::is_false")]
    pub(crate) is_known: bool,
    /// When another send like it will be accepted.
    pub(crate) next_at: Millis,
    /// The row of its idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claim: Option<Key>,
    /// The id of the request that asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) request_id: String,
}

/// What is stored about one number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberRow {
    #[serde(default)]
    pub(crate) backoff: ResendBackoff,
    #[serde(default, skip_serializing_if = "Counter::is_unused")]
    sends: Counter,
    #[serde(default, skip_serializing_if = "Counter::is_unused")]
    voice: Counter,
    #[serde(default, skip_serializing_if = "Counter::is_unused")]
    wrong_checks: Counter,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reserved: Vec<ReservedSend>,
    /// When the operator reset it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    freed_at: Option<Millis>,
}

impl Row for NumberRow {
    const KIND: &'static str = "number";
}

impl NumberRow {
    /// Whether a limit is counted here and not in a row of its own.
    pub(crate) const fn counts(limit: Limit) -> bool {
        matches!(
            limit,
            Limit::SendsPerNumber | Limit::VoicePerNumber | Limit::WrongChecksPerNumber
        )
    }

    /// The counter of a limit that is counted here.
    pub(crate) fn counter(&mut self, limit: Limit) -> Option<&mut Counter> {
        match limit {
            Limit::SendsPerNumber => Some(&mut self.sends),
            Limit::VoicePerNumber => Some(&mut self.voice),
            Limit::WrongChecksPerNumber => Some(&mut self.wrong_checks),
            _ => None,
        }
    }

    /// Adds a send that is reserved now.
    pub(crate) fn reserve(&mut self, send: ReservedSend, rules: &SessionRules, now: Millis) {
        let lifetime = rules.session_lifetime;
        self.reserved
            .retain(|it| it.at.after(lifetime) > now && it.at <= now);
        if self.reserved.len() == MAX_RESERVED {
            self.reserved.remove(0);
        }
        self.reserved.push(send);
    }

    /// The row with its waits and counts reset. Sends in progress are kept, so that a
    /// callback can find them.
    pub(crate) fn freed(self, now: Millis) -> Self {
        Self {
            reserved: self.reserved.clone(),
            ..self.forgotten(now)
        }
    }

    /// What is left of the row when everything about the number is erased: a mark for
    /// requests in progress, so that they refund no later use of the number.
    pub(crate) fn forgotten(&self, now: Millis) -> Self {
        Self {
            sends: self.sends.reset(),
            voice: self.voice.reset(),
            wrong_checks: self.wrong_checks.reset(),
            freed_at: Some(now),
            ..Self::default()
        }
    }

    /// Whether nothing but that mark is left.
    pub(crate) fn is_forgotten(&self) -> bool {
        let counters = [&self.sends, &self.voice, &self.wrong_checks];
        self.backoff == ResendBackoff::default()
            && self.reserved.is_empty()
            && counters.iter().all(|it| it.ends_at() == Millis(0))
    }

    /// Whether the operator has not reset the row since `at`.
    pub(crate) fn is_same_since(&self, at: Millis) -> bool {
        self.freed_at.is_none_or(|freed_at| freed_at < at)
    }

    /// Removes a send that certainly never left.
    pub(crate) fn unreserve(&mut self, session: &Key, at: Millis) {
        let is_it = |it: &ReservedSend| it.session == *session && it.at == at;
        self.reserved.retain(|it| !is_it(it));
    }

    /// When the row expires: nothing in it counts any more.
    pub(crate) fn ends_at(&self, rules: &SessionRules) -> Millis {
        let counters = [&self.sends, &self.voice, &self.wrong_checks];
        let counted = counters.map(Counter::ends_at).into_iter().max();
        let last = self.reserved.last();
        let reserved = last.map(|it| it.at.after(rules.session_lifetime));
        let freed = self.freed_at.map(|at| at.after(UNDER_WAY_TIMEOUT));
        let ends = [counted, reserved, freed, Some(self.backoff.ends_at(rules))];
        ends.into_iter().flatten().max().unwrap_or_default()
    }
}
