//! Adoption: a send whose answer got lost becomes a session all the same.
//!
//! Plivo was silent, or the process was killed, and the text came. A callback brings
//! Plivo's session and the number; the number's row knows which sends to it are
//! reserved. The oldest of them that is not recorded, of the same channel, is the
//! one, if no recorded send accounts for that attempt of Plivo's already.

use countersign_shared::Channel;

use super::{
    record_callback::{CallbackRecipient, RecordCallback},
    record_sent::count_sent,
};
use crate::{
    Delivery, Key, Rows, SentAnswer, Unreadable, idempotency,
    number::{NumberRow, ReservedSend},
    session::SessionRow,
    upstream_session::UpstreamRow,
};

/// The rows of the sessions whose sends are reserved.
pub(crate) fn keys(rows: &Rows<'_>, number: &Key) -> Result<Vec<Key>, Unreadable> {
    let row = rows.get::<NumberRow>(number)?.unwrap_or_default();
    let rows_of = |send: ReservedSend| {
        let session = SessionRow::keys(&send.session);
        session.into_iter().chain(send.claim)
    };
    Ok(row.reserved.into_iter().flat_map(rows_of).collect())
}

impl RecordCallback {
    /// Records the send that this callback is about, if it is not.
    pub(crate) fn adopt(
        &self,
        rows: &mut Rows<'_>,
        recipient: &CallbackRecipient,
        upstream: &mut UpstreamRow,
    ) -> Result<bool, Unreadable> {
        let (index, channel) = (self.update.index, self.update.attempt.channel);
        if upstream.is_recorded(index) {
            return Ok(false);
        }
        let Some((send, mut session)) = lost_send(rows, &recipient.number, channel)? else {
            return Ok(false);
        };
        if upstream.record_send(&recipient.number).is_err() {
            return Ok(false);
        }
        upstream.recorded_to(index);
        session.deliver(
            &self.upstream,
            Delivery {
                channel,
                requested_at: send.at,
                expected: Some(send.expected),
            },
        );
        session.save(rows, &send.session);
        if let Some(key) = &send.claim {
            let answer = SentAnswer {
                seen_at: rows.now(),
                channel,
                expires_at: session.expires_at,
                next_at: send.next_at,
                checks_left: session.checks_left,
            };
            idempotency::adopt(rows, key, send.at, answer)?;
        }
        count_sent(rows, &self.rules, &recipient.destination, send.at)?;
        Ok(true)
    }
}

/// The oldest send to that number that is reserved and not recorded.
fn lost_send(
    rows: &Rows<'_>,
    number: &Key,
    channel: Channel,
) -> Result<Option<(ReservedSend, SessionRow)>, Unreadable> {
    let row = rows.get::<NumberRow>(number)?.unwrap_or_default();
    for send in row.reserved.into_iter().filter(|it| it.channel == channel) {
        // One that was reserved since the rows were named: a later callback's.
        let mut keys = SessionRow::keys(&send.session)
            .into_iter()
            .chain(send.claim.clone());
        if !keys.all(|key| rows.is_loaded(&key)) {
            continue;
        }
        let session = rows.get::<SessionRow>(&send.session)?;
        if let Some(session) = session
            && session.number == *number
            && !session.has_delivery(channel, send.at)
        {
            return Ok(Some((send, session)));
        }
    }
    Ok(None)
}
