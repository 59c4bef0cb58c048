//! Sessions: one person's verification of one number, from the first code to the
//! right one.

use std::time::Duration;

use countersign_shared::{Channel, session::SessionStatus};
use serde::{Deserialize, Serialize};

use crate::{
    ApplicationId, Delivery, EndUserKeys, Key, Millis, Owner, Row, Rows, Sealed, SessionRules,
    Unreadable, Upstream, keys,
};

/// How long the id of an ended session is remembered, without its number, so that a later
/// request gets "expired" and not "not found".
pub(crate) const ENDED_TTL: Duration = Duration::from_hours(1);
/// Deliveries kept per session, more than anybody asks for; beyond that, the oldest is
/// dropped.
const MAX_DELIVERIES: usize = 64;

/// The session that a send creates.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The session's row.
    pub key: Key,
    /// The number's row.
    pub number: Key,
    /// The contact (number, locale, nonce), sealed with the session's id.
    pub contact: Sealed,
    /// The channel of the first code.
    pub channel: Channel,
    /// Who may continue the session.
    pub owner: Owner,
    /// The end user it is counted for.
    pub end_user: EndUserKeys,
}

/// A snapshot of a live session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The number's row.
    pub number: Key,
    /// The contact (number, locale, nonce), sealed with the session's id.
    pub contact: Sealed,
    /// Plivo's session behind it.
    pub upstream: Upstream,
    /// Who may continue the session.
    pub owner: Owner,
    /// The end user it is counted for.
    pub end_user: Box<EndUserKeys>,
    /// Its status.
    pub status: SessionStatus,
    /// Every delivery, oldest first. Never empty.
    pub deliveries: Vec<Delivery>,
    /// When the snapshot was taken, by the store's clock.
    pub seen_at: Millis,
    /// When the session expires.
    pub expires_at: Millis,
    /// Checks left.
    pub checks_left: u8,
}

impl Session {
    /// The channel of the last code.
    pub fn last_channel(&self) -> Channel {
        let last = self.deliveries.last();
        last.map(|delivery| delivery.channel).unwrap_or_default()
    }

    /// The time until the session expires, as of the snapshot.
    pub fn expires_in(&self) -> Duration {
        self.seen_at.until(self.expires_at)
    }
}

/// Why a session accepts no further step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionOver {
    /// Unknown, expired too long ago to be remembered, or another application's.
    NotFound,
    /// Its lifetime is over.
    Expired,
    /// It is already verified.
    AlreadyVerified,
    /// All its checks are used up.
    ChecksExhausted,
}

/// A session's status as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Its send is reserved but not recorded: there is no session yet. If the answer to
    /// the send is lost, a callback from Plivo makes it one.
    Reserved,
    /// A code was sent.
    Pending,
    /// The right code was entered.
    Verified,
    /// All checks are used up.
    Exhausted,
}

/// A session's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionRow {
    pub(crate) status: Status,
    pub(crate) number: Key,
    pub(crate) contact: Sealed,
    pub(crate) owner: Owner,
    #[serde(default)]
    pub(crate) end_user: Box<EndUserKeys>,
    /// `None` while its send is only reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upstream: Option<Upstream>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) checks_left: u8,
    pub(crate) expires_at: Millis,
}

impl Row for SessionRow {
    const KIND: &'static str = "session";
}

/// The row that outlives a session by [`ENDED_TTL`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EndedRow {}

impl Row for EndedRow {
    const KIND: &'static str = "ended";
}

impl SessionRow {
    /// A session whose first send is reserved.
    pub(crate) fn reserved(new: &NewSession, rules: &SessionRules, now: Millis) -> Self {
        Self {
            status: Status::Reserved,
            number: new.number.clone(),
            contact: new.contact.clone(),
            owner: new.owner.clone(),
            end_user: Box::new(new.end_user.clone()),
            upstream: None,
            deliveries: Vec::new(),
            checks_left: rules.checks_per_session,
            expires_at: now.after(rules.session_lifetime),
        }
    }

    /// Adds a delivery that Plivo accepted; the first one makes the session live.
    pub(crate) fn deliver(&mut self, upstream: &Upstream, delivery: Delivery) {
        if self.status == Status::Reserved {
            self.status = Status::Pending;
        }
        self.upstream = Some(upstream.clone());
        if self.deliveries.len() == MAX_DELIVERIES {
            self.deliveries.remove(0);
        }
        self.deliveries.push(delivery);
    }

    /// Removes a delivery that never left.
    pub(crate) fn undeliver(&mut self, channel: Channel, requested_at: Millis) {
        self.deliveries
            .retain(|it| (it.channel, it.requested_at) != (channel, requested_at));
    }

    /// Whether the send reserved at `requested_at` is recorded.
    pub(crate) fn has_delivery(&self, channel: Channel, requested_at: Millis) -> bool {
        let mut deliveries = self.deliveries.iter();
        deliveries.any(|it| (it.channel, it.requested_at) == (channel, requested_at))
    }

    /// The snapshot for callers; `None` while its send is only reserved.
    pub(crate) fn seen(self, now: Millis) -> Option<Session> {
        Some(Session {
            status: match self.status {
                Status::Reserved => return None,
                Status::Pending => SessionStatus::Pending,
                Status::Verified => SessionStatus::Verified,
                Status::Exhausted => SessionStatus::ChecksExhausted,
            },
            number: self.number,
            contact: self.contact,
            owner: self.owner,
            end_user: self.end_user,
            upstream: self.upstream?,
            deliveries: self.deliveries,
            seen_at: now,
            expires_at: self.expires_at,
            checks_left: self.checks_left,
        })
    }

    /// The rows that [`Self::live`] reads.
    pub(crate) fn keys(key: &Key) -> [Key; 2] {
        [key.clone(), keys::ended(key)]
    }

    /// The session if it is live, whatever its status.
    pub(crate) fn live(
        rows: &Rows<'_>,
        key: &Key,
    ) -> Result<Result<Self, SessionOver>, Unreadable> {
        Ok(match rows.get::<Self>(key)? {
            Some(row) if row.status != Status::Reserved => Ok(row),
            _ if rows.get::<EndedRow>(&keys::ended(key))?.is_some() => Err(SessionOver::Expired),
            _ => Err(SessionOver::NotFound),
        })
    }

    /// The session if it is open to resends and checks, for a call with the key of
    /// `application`, or without a key.
    pub(crate) fn open(
        rows: &Rows<'_>,
        key: &Key,
        application: Option<&ApplicationId>,
    ) -> Result<Result<Self, SessionOver>, Unreadable> {
        Ok(Self::live(rows, key)?.and_then(|row| match row.status {
            _ if !row.owner.admits(application) => Err(SessionOver::NotFound),
            Status::Pending => Ok(row),
            Status::Verified => Err(SessionOver::AlreadyVerified),
            Status::Exhausted => Err(SessionOver::ChecksExhausted),
            Status::Reserved => Err(SessionOver::NotFound),
        }))
    }

    /// Stores it until it expires, and its id for [`ENDED_TTL`] longer.
    pub(crate) fn save(&self, rows: &mut Rows<'_>, key: &Key) {
        rows.put(key, self, self.expires_at);
        if self.status != Status::Reserved {
            let forgotten_at = self.expires_at.after(ENDED_TTL);
            rows.put(&keys::ended(key), &EndedRow {}, forgotten_at);
        }
    }
}
