//! Adoption: a send whose answer was lost still becomes a session.
//!
//! Plivo did not answer, or the process was killed, but the text arrived. A callback
//! names Plivo's session and the number; the number's row lists its reserved sends. Those
//! on the same channel that are not recorded are recorded with that session: Plivo keeps
//! one per number while its code is valid, so whichever of them the callback is about,
//! its code is theirs too. A session of Plivo's whose code was used or whose time is over
//! adopts nothing.

use super::{
    record_callback::{CallbackRecipient, RecordCallback},
    record_sent::count_sent,
    send_limits::destination_keys,
};
use crate::{
    Delivery, Key, Rows, SentAnswer, SessionRules, Unreadable, idempotency,
    number::{NumberRow, ReservedSend},
    session::SessionRow,
    upstream_session::UpstreamRow,
};

/// The rows of the sessions with reserved sends, of their idempotency keys, and of their
/// destination.
pub(crate) fn keys(
    rows: &Rows<'_>,
    recipient: &CallbackRecipient,
    rules: &SessionRules,
) -> Result<Vec<Key>, Unreadable> {
    let row = rows
        .get::<NumberRow>(&recipient.number)?
        .unwrap_or_default();
    let mut keys: Vec<Key> = row.reserved.into_iter().flat_map(rows_of).collect();
    if !keys.is_empty() {
        keys.extend(destination_keys(&recipient.destination, rules));
    }
    Ok(keys)
}

fn rows_of(send: ReservedSend) -> impl Iterator<Item = Key> {
    let session = SessionRow::keys(&send.session);
    session.into_iter().chain(send.claim)
}

impl RecordCallback {
    /// Records the sends that this callback may be about and that are not yet recorded.
    /// Returns whether there were any.
    pub(crate) fn adopt(
        &self,
        rows: &mut Rows<'_>,
        recipient: &CallbackRecipient,
        upstream: &mut UpstreamRow,
    ) -> Result<bool, Unreadable> {
        let index = self.update.index;
        let may_hold = upstream.may_hold(index, &self.rules, rows.now());
        let first = upstream.first_unknown(index);
        upstream.recorded_to(index);
        if !may_hold || !upstream.is_of(&recipient.number) {
            return Ok(false);
        }
        let number = rows
            .get::<NumberRow>(&recipient.number)?
            .unwrap_or_default();
        let mut has_adopted = false;
        for send in number.reserved {
            if self.adopt_one(rows, recipient, &send)? {
                upstream.asked_by(&send.request_id, first);
                has_adopted = true;
            }
        }
        if has_adopted {
            upstream.bind(&recipient.number);
        }
        Ok(has_adopted)
    }

    fn adopt_one(
        &self,
        rows: &mut Rows<'_>,
        recipient: &CallbackRecipient,
        send: &ReservedSend,
    ) -> Result<bool, Unreadable> {
        // A send that was reserved after the keys were named waits for a later callback.
        let mut named =
            rows_of(send.clone()).chain(destination_keys(&recipient.destination, &self.rules));
        let is_loaded = named.all(|key| rows.is_loaded(&key));
        if !is_loaded || send.channel != self.update.attempt.channel {
            return Ok(false);
        }
        let Some(mut session) = rows.get::<SessionRow>(&send.session)? else {
            return Ok(false);
        };
        let is_theirs = session.number == recipient.number;
        if !is_theirs || session.has_delivery(send.channel, send.at) {
            return Ok(false);
        }
        session.deliver(
            &self.upstream,
            Delivery {
                channel: send.channel,
                requested_at: send.at,
                expected: Some(send.expected),
                is_known: send.is_known,
            },
        );
        session.save(rows, &send.session);
        if let Some(key) = &send.claim {
            let answer = SentAnswer {
                seen_at: rows.now(),
                channel: send.channel,
                expires_at: session.expires_at,
                next_at: send.next_at,
                checks_left: session.checks_left,
            };
            idempotency::adopt(rows, key, send.at, answer)?;
        }
        let (destination, is_known) = (&recipient.destination, send.is_known);
        count_sent(rows, &self.rules, destination, is_known, send.at)?;
        Ok(true)
    }
}
