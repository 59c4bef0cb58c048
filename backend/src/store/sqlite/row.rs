//! One session's row.

use countersign_shared::{Channel, SessionId};
use rusqlite::{OptionalExtension, Transaction, params};

use super::{
    cache::{Place, Row},
    step::Step,
};
use crate::store::{
    Session, SessionOver,
    millis::length,
    record::{MEMORY_OF_THE_ENDED, Record, Status, Unreadable},
    vault::Hash,
};

impl From<Unreadable> for rusqlite::Error {
    fn from(_: Unreadable) -> Self {
        Self::InvalidQuery
    }
}

impl Row for Record {
    fn read(transaction: &Transaction<'_>, id: &Hash) -> rusqlite::Result<Option<(Place, Self)>> {
        transaction
            .prepare_cached(
                "SELECT row, forget_at, person, upstream_id, status, channel, deliveries,
                     checks_left, expires_at
                 FROM session WHERE id = ?1",
            )?
            .query_row([id], |row| {
                let place = Place {
                    row: row.get(0)?,
                    forget_at: row.get(1)?,
                };
                let record = Record {
                    person: row.get(2)?,
                    upstream_id: row.get(3)?,
                    status: Status::parse(row.get_ref(4)?.as_str()?).ok_or(Unreadable)?,
                    channel: Channel::parse(row.get_ref(5)?.as_str()?).ok_or(Unreadable)?,
                    deliveries: row.get(6)?,
                    checks_left: row.get(7)?,
                    expires_at: row.get(8)?,
                };
                Ok((place, record))
            })
            .optional()
    }

    /// Its person and its end never change.
    fn write(
        &self,
        transaction: &Transaction<'_>,
        id: &Hash,
        place: Option<Place>,
    ) -> rusqlite::Result<Place> {
        if let Some(place) = place {
            transaction
                .prepare_cached(
                    "UPDATE session SET upstream_id = ?2, status = ?3, deliveries = ?4,
                         checks_left = ?5
                     WHERE row = ?1",
                )?
                .execute(params![
                    place.row,
                    self.upstream_id,
                    self.status.as_str(),
                    self.deliveries,
                    self.checks_left,
                ])?;
            return Ok(place);
        }
        let row = transaction
            .prepare_cached(
                "INSERT INTO session
                     (id, person, upstream_id, status, channel, deliveries, checks_left,
                      expires_at, forget_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
            )?
            .insert(params![
                id,
                self.person,
                self.upstream_id,
                self.status.as_str(),
                self.channel.as_str(),
                self.deliveries,
                self.checks_left,
                self.expires_at,
            ])?;
        Ok(Place {
            row,
            forget_at: self.expires_at,
        })
    }
}

impl Step<'_> {
    /// As the rest of the program sees it; nothing when it has ended.
    pub(super) fn seen(&self, id: SessionId, record: Record) -> rusqlite::Result<Option<Session>> {
        let person = record.person(&self.context.vault, id)?;
        Ok(person.map(|person| record.seen(id, person, self.now)))
    }

    /// The session while it lives, whatever its status.
    pub(super) fn live(&mut self, id: SessionId) -> rusqlite::Result<Result<Record, SessionOver>> {
        let name = self.context.vault.session_name(id);
        let now = self.now;
        Ok(match self.cache.sessions.get(self.transaction, name)? {
            None => Err(SessionOver::NotFound),
            Some(record) if record.expires_at + length(MEMORY_OF_THE_ENDED) <= now => {
                Err(SessionOver::NotFound)
            }
            Some(record) if record.expires_at <= now => Err(SessionOver::Expired),
            Some(record) => Ok(record.clone()),
        })
    }

    /// The session while codes may be sent and tried.
    pub(super) fn open(&mut self, id: SessionId) -> rusqlite::Result<Result<Record, SessionOver>> {
        Ok(self.live(id)?.and_then(|record| match record.status {
            Status::Pending => Ok(record),
            Status::Verified => Err(SessionOver::AlreadyVerified),
            Status::Exhausted => Err(SessionOver::ChecksExhausted),
        }))
    }

    /// Keeps the session so.
    pub(super) fn keep(&mut self, id: SessionId, record: Record) -> rusqlite::Result<()> {
        let name = self.context.vault.session_name(id);
        self.cache.sessions.set(self.transaction, name, record)
    }
}
