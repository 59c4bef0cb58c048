//! One session's row.

use countersign_shared::{Channel, SessionId};
use rusqlite::{OptionalExtension, Transaction, params};

use super::Context;
use crate::store::{
    NewSession, Session, SessionOver, Taken,
    charges::Booked,
    millis::{Millis, length},
    record::{MEMORY_OF_THE_ENDED, Record, Status, UNDER_WAY, Unreadable, delivery_text},
};

impl From<Unreadable> for rusqlite::Error {
    fn from(_: Unreadable) -> Self {
        Self::InvalidQuery
    }
}

/// Writes a session that Plivo is being asked for.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    context: &Context,
    new: &NewSession,
    now: Millis,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO session
                 (id, number, person, status, channel, checks_left, expires_at, forget_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        )?
        .execute(params![
            context.vault.session_name(new.id),
            context.vault.number_name(&new.recipient),
            Record::seal_person(&context.vault, new),
            Status::Reserved.as_str(),
            new.channel.as_str(),
            context.rules.checks_per_session,
            // Until Plivo has answered.
            now + length(UNDER_WAY),
        ])?;
    Ok(())
}

pub(super) fn read(
    transaction: &Transaction<'_>,
    context: &Context,
    id: SessionId,
) -> rusqlite::Result<Option<Record>> {
    transaction
        .prepare_cached(
            "SELECT person, upstream_id, status, channel, deliveries, checks_left, expires_at
             FROM session WHERE id = ?1",
        )?
        .query_row([context.vault.session_name(id)], |row| {
            let (status, channel): (String, String) = (row.get(2)?, row.get(3)?);
            Ok(Record {
                id,
                person: row.get(0)?,
                upstream_id: row.get(1)?,
                status: Status::parse(&status).ok_or(Unreadable)?,
                channel: Channel::parse(&channel).ok_or(Unreadable)?,
                deliveries: row.get(4)?,
                checks_left: row.get(5)?,
                expires_at: row.get(6)?,
            })
        })
        .optional()
}

pub(super) fn write(
    transaction: &Transaction<'_>,
    context: &Context,
    record: &Record,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE session SET upstream_id = ?2, status = ?3, deliveries = ?4,
                 checks_left = ?5, expires_at = ?6, forget_at = ?7
             WHERE id = ?1",
        )?
        .execute(params![
            context.vault.session_name(record.id),
            record.upstream_id,
            record.status.as_str(),
            record.deliveries,
            record.checks_left,
            record.expires_at,
            record.expires_at + length(MEMORY_OF_THE_ENDED),
        ])?;
    Ok(())
}

pub(super) fn delete(
    transaction: &Transaction<'_>,
    context: &Context,
    id: SessionId,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM session WHERE id = ?1")?
        .execute([context.vault.session_name(id)])?;
    Ok(())
}

/// One more delivery, which was reserved so.
pub(super) fn deliver(record: &mut Record, channel: Channel, taken: &Taken) {
    if !record.deliveries.is_empty() {
        record.deliveries.push(';');
    }
    record.deliveries += &delivery_text(&Booked {
        channel,
        at: taken.at,
        expected: Some(taken.expected),
    });
}

/// As the rest of the program sees it; nothing when it has ended.
pub(super) fn seen(
    record: Record,
    context: &Context,
    now: Millis,
) -> rusqlite::Result<Option<Session>> {
    let person = record.person(&context.vault)?;
    Ok(person.map(|person| record.seen(person, now)))
}

/// The session while it lives, whatever its status.
pub(super) fn live(
    transaction: &Transaction<'_>,
    context: &Context,
    id: SessionId,
    now: Millis,
) -> rusqlite::Result<Result<Record, SessionOver>> {
    Ok(match read(transaction, context, id)? {
        None => Err(SessionOver::NotFound),
        Some(record) if record.status == Status::Reserved => Err(SessionOver::NotFound),
        Some(record) if record.expires_at + length(MEMORY_OF_THE_ENDED) <= now => {
            Err(SessionOver::NotFound)
        }
        Some(record) if record.expires_at <= now => Err(SessionOver::Expired),
        Some(record) => Ok(record),
    })
}

/// The session while codes may be sent and tried.
pub(super) fn open(
    transaction: &Transaction<'_>,
    context: &Context,
    id: SessionId,
    now: Millis,
) -> rusqlite::Result<Result<Record, SessionOver>> {
    Ok(
        live(transaction, context, id, now)?.and_then(|record| match record.status {
            Status::Reserved => Err(SessionOver::NotFound),
            Status::Pending => Ok(record),
            Status::Verified => Err(SessionOver::AlreadyVerified),
            Status::Exhausted => Err(SessionOver::ChecksExhausted),
        }),
    )
}
