//! Recording a send that Plivo accepted: its session becomes live.

use std::sync::Arc;

use super::{
    reservation::SendReservation,
    send_limits::{count_conversion, destination_keys},
};
use crate::{
    Answer, Destination, Key, Millis, NewSession, Rows, SentAnswer, Session, SessionOver,
    SessionRules, Transition, Unreadable, Upstream, idempotency,
    session::{SessionRow, Status},
    upstream_session::UpstreamRow,
};

/// The outcome of recording a send or resend that Plivo accepted.
#[derive(Debug)]
pub enum Recorded {
    /// The code was sent.
    Sent {
        /// The session.
        session: Session,
        /// The answer, also to a repetition.
        answer: SentAnswer,
    },
    /// The session ended meanwhile.
    Over(SessionOver),
    /// Plivo answered with another number's session, which is invalid. The send stays
    /// counted.
    OtherRecipient,
}

/// Records a send that Plivo accepted, counts it for conversion, and stores its answer. A
/// session that a callback has adopted in the meantime is recorded once.
pub struct RecordSent {
    /// The session that it creates.
    pub new: NewSession,
    /// Plivo's session for it.
    pub upstream: Upstream,
    /// The reservation.
    pub reservation: Arc<SendReservation>,
    /// The rules in force.
    pub rules: Arc<SessionRules>,
}

impl Transition for RecordSent {
    type Outcome = Recorded;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        let key = &self.new.key;
        Ok(record_keys(
            key,
            &self.upstream,
            &self.reservation,
            &self.rules,
        ))
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Recorded, Unreadable> {
        let now = rows.now();
        let mut row = match rows.get::<SessionRow>(&self.new.key)? {
            Some(row) => row,
            None => SessionRow::reserved(&self.new, &self.rules, now),
        };
        if row.status == Status::Reserved {
            row.expires_at = now.after(self.rules.session_lifetime);
        }
        let (upstream, reservation) = (&self.upstream, &self.reservation);
        record(rows, &self.rules, upstream, reservation, row)
    }
}

/// The rows that recording a send or resend reads.
pub(crate) fn record_keys(
    session: &Key,
    upstream: &Upstream,
    reservation: &SendReservation,
    rules: &SessionRules,
) -> Vec<Key> {
    let mut keys = SessionRow::keys(session).to_vec();
    keys.push(upstream.key.clone());
    keys.extend(destination_keys(&reservation.destination, rules));
    keys.extend(reservation.claim.as_ref().map(|claim| claim.key.clone()));
    keys
}

/// Records one send of a session, unless a callback was first.
pub(crate) fn record(
    rows: &mut Rows<'_>,
    rules: &SessionRules,
    upstream: &Upstream,
    reservation: &SendReservation,
    mut row: SessionRow,
) -> Result<Recorded, Unreadable> {
    let now = rows.now();
    let mut upstream_row = UpstreamRow::load(rows, &upstream.key)?;
    let is_adopted = row.has_delivery(reservation.channel, reservation.reserved_at);
    let is_known = row.upstream.as_ref().map(|it| &it.key) == Some(&upstream.key);
    if !(is_adopted && is_known) {
        let (number, request_id) = (&reservation.number, &reservation.request_id);
        if upstream_row.record_send(number, request_id).is_err() {
            return Ok(Recorded::OtherRecipient);
        }
    }
    upstream_row.save(rows, &upstream.key, rules);
    if is_adopted {
        // Plivo's answer takes precedence over a callback.
        row.upstream = Some(upstream.clone());
    } else {
        row.deliver(upstream, reservation.delivery());
        count_reserved(rows, rules, reservation)?;
    }
    row.save(rows, &reservation.session);
    let mut answer = SentAnswer {
        seen_at: now,
        channel: reservation.channel,
        expires_at: row.expires_at,
        next_at: reservation.next_at,
        checks_left: row.checks_left,
    };
    if let Some(claim) = &reservation.claim {
        let claimed_at = reservation.reserved_at;
        let kept = idempotency::answer(rows, claim, claimed_at, Answer::Sent(answer))?;
        if let Answer::Sent(kept) = kept {
            answer = kept;
        }
    }
    Ok(match row.seen(now) {
        Some(session) => Recorded::Sent { session, answer },
        None => Recorded::Over(SessionOver::NotFound),
    })
}

/// Counts the reserved send for its destination's conversion.
pub(crate) fn count_reserved(
    rows: &mut Rows<'_>,
    rules: &SessionRules,
    reservation: &SendReservation,
) -> Result<(), Unreadable> {
    let (destination, at) = (&reservation.destination, reservation.reserved_at);
    count_sent(rows, rules, destination, reservation.is_known, at)
}

/// Counts a code sent at `at` for the destination's conversion.
pub(crate) fn count_sent(
    rows: &mut Rows<'_>,
    rules: &SessionRules,
    destination: &Destination,
    is_known: bool,
    at: Millis,
) -> Result<(), Unreadable> {
    let now = rows.now();
    count_conversion(rows, rules, destination, is_known, |row, rule, limit| {
        row.sent(rule, limit, at, now);
    })
}
