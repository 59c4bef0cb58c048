//! One session's row.

use countersign_shared::{Channel, Locale, PhoneNumber, SessionId};
use rusqlite::{OptionalExtension, Transaction, params};

use super::{Context, MEMORY_OF_THE_ENDED, UNDER_WAY, length, limits::Keyed, on_the_wire, time};
use crate::{
    clock::until,
    store::{Delivery, NewSession, Session, SessionOver, window::Millis},
};

/// How a session stands, in the file's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Plivo is being asked for the first code.
    Reserved,
    /// The code is out.
    Pending,
    /// The right code was given.
    Verified,
    /// All checks were wrong.
    Exhausted,
}

impl Status {
    const ALL: [Self; 4] = [
        Self::Reserved,
        Self::Pending,
        Self::Verified,
        Self::Exhausted,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Exhausted => "exhausted",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A session as the file has it.
pub(super) struct Row {
    id: SessionId,
    /// The number and the locale, sealed with the session's name; gone once the
    /// session has ended.
    person: Option<Vec<u8>>,
    pub(super) upstream_id: String,
    pub(super) status: Status,
    pub(super) channel: Channel,
    /// `sms 1764000000000;voice 1764000030000`
    deliveries: String,
    pub(super) checks_left: u8,
    pub(super) expires_at: Millis,
}

impl Row {
    pub(super) fn insert(
        transaction: &Transaction<'_>,
        context: &Context,
        new: &NewSession,
        now: Millis,
    ) -> rusqlite::Result<()> {
        let person = format!("{} {}", new.recipient.as_str(), new.locale.as_str());
        let row = Self {
            id: new.id,
            person: Some(context.vault.seal("person", new.id.as_bytes(), &person)),
            upstream_id: String::new(),
            status: Status::Reserved,
            channel: new.channel,
            deliveries: String::new(),
            checks_left: context.rules.checks_per_session,
            // Until Plivo has answered.
            expires_at: now + length(UNDER_WAY),
        };
        let keyed = Keyed {
            transaction,
            context,
            now,
        };
        transaction
            .prepare_cached("INSERT INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)")?
            .execute(params![
                context.session_key(new.id),
                keyed.number(&new.recipient),
                row.person,
                row.upstream_id,
                row.status.as_str(),
                row.channel.as_str(),
                row.deliveries,
                row.checks_left,
                row.expires_at,
            ])?;
        Ok(())
    }

    pub(super) fn read(
        transaction: &Transaction<'_>,
        context: &Context,
        id: SessionId,
    ) -> rusqlite::Result<Option<Self>> {
        transaction
            .prepare_cached(
                "SELECT person, upstream_id, status, channel, deliveries, checks_left, expires_at
                 FROM session WHERE id = ?1",
            )?
            .query_row([context.session_key(id)], |row| {
                let (status, channel): (String, String) = (row.get(2)?, row.get(3)?);
                Ok(Self {
                    id,
                    person: row.get(0)?,
                    upstream_id: row.get(1)?,
                    status: Status::parse(&status).ok_or(rusqlite::Error::InvalidQuery)?,
                    channel: Channel::parse(&channel).ok_or(rusqlite::Error::InvalidQuery)?,
                    deliveries: row.get(4)?,
                    checks_left: row.get(5)?,
                    expires_at: row.get(6)?,
                })
            })
            .optional()
    }

    pub(super) fn write(
        &self,
        transaction: &Transaction<'_>,
        context: &Context,
    ) -> rusqlite::Result<()> {
        transaction
            .prepare_cached(
                "UPDATE session SET upstream_id = ?2, status = ?3, deliveries = ?4,
                     checks_left = ?5, expires_at = ?6, forget_at = ?7
                 WHERE id = ?1",
            )?
            .execute(params![
                context.session_key(self.id),
                self.upstream_id,
                self.status.as_str(),
                self.deliveries,
                self.checks_left,
                self.expires_at,
                self.expires_at + length(MEMORY_OF_THE_ENDED),
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
            .execute([context.session_key(id)])?;
        Ok(())
    }

    pub(super) fn deliver(&mut self, channel: Channel, now: Millis) {
        if !self.deliveries.is_empty() {
            self.deliveries.push(';');
        }
        self.deliveries += &format!("{channel} {now}");
    }

    /// As the rest of the program sees it; nothing when it has ended.
    pub(super) fn seen(
        &self,
        transaction: &Transaction<'_>,
        context: &Context,
        now: Millis,
    ) -> rusqlite::Result<Option<Session>> {
        let Some(sealed) = &self.person else {
            return Ok(None);
        };
        let person = context.vault.open("person", self.id.as_bytes(), sealed);
        let person = person.ok_or(rusqlite::Error::InvalidQuery)?;
        let Some((recipient, locale)) = read_person(&person) else {
            return Err(rusqlite::Error::InvalidQuery);
        };
        let keyed = Keyed {
            transaction,
            context,
            now,
        };
        let resend_at = keyed.ladder(&recipient)?.next_at;
        Ok(Some(Session {
            id: self.id,
            recipient,
            locale,
            upstream_id: self.upstream_id.clone(),
            status: on_the_wire(self.status),
            deliveries: self.deliveries.split(';').filter_map(delivery).collect(),
            expires_at: time(self.expires_at),
            expires_in: until(time(self.expires_at), time(now)),
            resend_in: until(time(resend_at), time(now)),
            checks_left: self.checks_left,
        }))
    }
}

fn read_person(text: &str) -> Option<(PhoneNumber, Locale)> {
    let (number, locale) = text.split_once(' ')?;
    Some((
        PhoneNumber::parse(number).ok()?,
        Locale::parse(locale).ok()?,
    ))
}

fn delivery(text: &str) -> Option<Delivery> {
    let (channel, at) = text.split_once(' ')?;
    Some(Delivery {
        channel: Channel::parse(channel)?,
        requested_at: time(at.parse().ok()?),
    })
}

/// The session while it lives, whatever its status.
pub(super) fn live(
    transaction: &Transaction<'_>,
    context: &Context,
    id: SessionId,
    now: Millis,
) -> rusqlite::Result<Result<Row, SessionOver>> {
    Ok(match Row::read(transaction, context, id)? {
        None => Err(SessionOver::NotFound),
        Some(row) if row.status == Status::Reserved => Err(SessionOver::NotFound),
        Some(row) if row.expires_at + length(MEMORY_OF_THE_ENDED) <= now => {
            Err(SessionOver::NotFound)
        }
        Some(row) if row.expires_at <= now => Err(SessionOver::Expired),
        Some(row) => Ok(row),
    })
}

/// The session while codes may be sent and tried.
pub(super) fn open(
    transaction: &Transaction<'_>,
    context: &Context,
    id: SessionId,
    now: Millis,
) -> rusqlite::Result<Result<Row, SessionOver>> {
    Ok(
        live(transaction, context, id, now)?.and_then(|row| match row.status {
            Status::Reserved => Err(SessionOver::NotFound),
            Status::Pending => Ok(row),
            Status::Verified => Err(SessionOver::AlreadyVerified),
            Status::Exhausted => Err(SessionOver::ChecksExhausted),
        }),
    )
}
