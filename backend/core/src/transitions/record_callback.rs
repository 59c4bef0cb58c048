//! What Plivo tells without being asked.

use std::{sync::Arc, time::Duration};

use super::adopt_send;
use crate::{
    AttemptUpdate, DeliveryChange, Destination, Key, Rows, SessionRules, Transition, Unreadable,
    Upstream,
    delivery::{self, AttemptChange},
    single_use,
    upstream_session::UpstreamRow,
};

/// Records a callback: its nonce is used up, the attempt moves forward, it is
/// somebody's turn to ask Plivo, and a send whose answer got lost is adopted.
pub struct RecordCallback {
    /// The row of its nonce.
    pub nonce: Key,
    /// How long the nonce is remembered.
    pub kept_for: Duration,
    /// Plivo's session.
    pub upstream: Upstream,
    /// Whose it is, where the callback says so.
    pub recipient: Option<CallbackRecipient>,
    /// What it tells.
    pub update: AttemptUpdate,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

/// Whom a callback is about.
#[derive(Clone, Debug)]
pub struct CallbackRecipient {
    /// The number's row.
    pub number: Key,
    /// Where its codes go.
    pub destination: Destination,
}

/// What became of a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// It came before.
    Repeated,
    /// Plivo's session is another number's. Nothing but its nonce was kept.
    OtherRecipient,
    /// It was taken.
    Recorded {
        /// Which deliveries have come further.
        changes: Vec<DeliveryChange>,
        /// What it told, news or not.
        told: DeliveryChange,
        /// Whether a send whose answer got lost is recorded now.
        has_adopted: bool,
    },
}

impl Transition for RecordCallback {
    type Outcome = CallbackOutcome;

    fn keys(&self, rows: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let mut keys = vec![self.nonce.clone(), self.upstream.key.clone()];
        if let Some(recipient) = &self.recipient {
            keys.push(recipient.number.clone());
            if rows.is_loaded(&recipient.number) {
                keys.extend(adopt_send::keys(rows, recipient, &self.rules)?);
            }
        }
        Ok(keys)
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<CallbackOutcome, Unreadable> {
        if !single_use::consume(rows, &self.nonce, self.kept_for)? {
            return Ok(CallbackOutcome::Repeated);
        }
        let mut row = UpstreamRow::load(rows, &self.upstream.key)?;
        if let Some(recipient) = &self.recipient
            && !row.is_of(&recipient.number)
        {
            return Ok(CallbackOutcome::OtherRecipient);
        }
        let has_adopted = match &self.recipient {
            Some(recipient) => self.adopt(rows, recipient, &mut row)?,
            None => false,
        };
        let changes = delivery::merge(&mut row.attempts, &[self.update]);
        row.polled_at = crate::Millis(0);
        row.save(rows, &self.upstream.key, &self.rules);
        Ok(CallbackOutcome::Recorded {
            changes: row.delivery_changes(&changes),
            told: row.delivery_change(&AttemptChange {
                index: self.update.index,
                channel: self.update.attempt.channel,
                status: self.update.attempt.status,
            }),
            has_adopted,
        })
    }
}
