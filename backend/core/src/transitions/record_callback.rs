//! Recording Plivo's callbacks.

use std::{sync::Arc, time::Duration};

use super::adopt_send;
use crate::{
    AttemptUpdate, DeliveryChange, Destination, Key, Rows, SessionRules, Transition, Unreadable,
    Upstream,
    delivery::{self, AttemptChange},
    single_use,
    upstream_session::UpstreamRow,
};

/// Records a callback: its nonce is consumed, the attempt's status advances, the next
/// caller gets the turn to poll Plivo, and a send whose answer was lost is adopted.
pub struct RecordCallback {
    /// The row of its nonce.
    pub nonce: Key,
    /// How long the nonce is remembered.
    pub kept_for: Duration,
    /// Plivo's session.
    pub upstream: Upstream,
    /// Its recipient, if the callback names one.
    pub recipient: Option<CallbackRecipient>,
    /// The reported attempt.
    pub update: AttemptUpdate,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

/// The recipient of a callback.
#[derive(Clone, Debug)]
pub struct CallbackRecipient {
    /// The number's row.
    pub number: Key,
    /// The destination of its codes.
    pub destination: Destination,
}

/// The outcome of a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// It arrived before.
    Repeated,
    /// Plivo's session belongs to another number. Nothing but the nonce was stored.
    OtherRecipient,
    /// It was recorded.
    Recorded {
        /// The deliveries whose status advanced.
        changes: Vec<DeliveryChange>,
        /// What it reported, new or not.
        told: DeliveryChange,
        /// Whether a send whose answer was lost was adopted.
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
