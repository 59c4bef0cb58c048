//! A session as a store keeps it.

use std::time::Duration;

use countersign_shared::{Channel, Locale, PhoneNumber, SessionId, session::SessionStatus};

use super::{
    Delivery, NewSession, Session, Taken, Vault,
    charges::Booked,
    millis::{Millis, time},
};
use countersign_platform::clock::until;

/// How long the name of an ended session is remembered, without its number, so
/// that its holder hears "expired" and not "never heard of it".
pub(super) const MEMORY_OF_THE_ENDED: Duration = Duration::from_hours(1);
/// Longer than any request takes: after that its process has died.
pub(super) const UNDER_WAY: Duration = Duration::from_secs(30);

/// How a session stands, in the store's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// The code is out.
    Pending,
    /// The right code was given.
    Verified,
    /// All checks were wrong.
    Exhausted,
}

impl Status {
    const ALL: [Self; 3] = [Self::Pending, Self::Verified, Self::Exhausted];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Exhausted => "exhausted",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    fn on_the_wire(self) -> SessionStatus {
        match self {
            Self::Pending => SessionStatus::Pending,
            Self::Verified => SessionStatus::Verified,
            Self::Exhausted => SessionStatus::ChecksExhausted,
        }
    }
}

/// A session as it is kept, its number sealed.
#[derive(Clone)]
pub(super) struct Record {
    /// The number and the locale, sealed with the session's name; gone once the
    /// session has ended.
    pub(super) person: Option<Vec<u8>>,
    pub(super) upstream_id: String,
    pub(super) status: Status,
    pub(super) channel: Channel,
    /// `sms 1764000000000 =;voice 1764000030000 7900`: when it was asked for, and
    /// what is expected to be charged, or `=` once that is known.
    pub(super) deliveries: String,
    pub(super) checks_left: u8,
    pub(super) expires_at: Millis,
}

/// Whom a session is about, as it is sealed: words between spaces.
pub(super) struct Person {
    recipient: PhoneNumber,
    locale: Locale,
    nonce: Option<String>,
}

impl Person {
    pub(super) fn of(new: &NewSession) -> Self {
        Self {
            recipient: new.recipient.clone(),
            locale: new.locale.clone(),
            nonce: new.nonce.clone(),
        }
    }
}

/// What cannot be read; a fault of ours or of the disk's.
#[derive(Debug)]
pub(super) struct Unreadable;

impl Record {
    /// A session that begins with its first delivery; until when, the store says.
    pub(super) fn begun(
        vault: &Vault,
        new: &NewSession,
        checks: u8,
        upstream_id: String,
        taken: &Taken,
    ) -> Self {
        let mut record = Self {
            person: Some(Self::seal_person(vault, new)),
            upstream_id,
            status: Status::Pending,
            channel: new.channel,
            deliveries: String::new(),
            checks_left: checks,
            expires_at: 0,
        };
        record.deliver(new.channel, taken);
        record
    }

    /// One more delivery, which was reserved so.
    pub(super) fn deliver(&mut self, channel: Channel, taken: &Taken) {
        if !self.deliveries.is_empty() {
            self.deliveries.push(';');
        }
        self.deliveries += &delivery_text(&Booked {
            channel,
            at: taken.at,
            expected: Some(taken.expected),
        });
    }

    /// Seals whom a session is about.
    fn seal_person(vault: &Vault, new: &NewSession) -> Vec<u8> {
        let mut person = format!("{} {}", new.recipient.as_str(), new.locale.as_str());
        if let Some(nonce) = &new.nonce {
            person += &format!(" {nonce}");
        }
        vault.seal("person", new.id.as_bytes(), &person)
    }

    /// Whom the session is about; nobody once it has ended.
    pub(super) fn person(
        &self,
        vault: &Vault,
        id: SessionId,
    ) -> Result<Option<Person>, Unreadable> {
        let Some(sealed) = &self.person else {
            return Ok(None);
        };
        vault
            .open("person", id.as_bytes(), sealed)
            .and_then(|person| read_person(&person))
            .map(Some)
            .ok_or(Unreadable)
    }

    /// As the rest of the program sees it.
    pub(super) fn seen(self, id: SessionId, person: Person, now: Millis) -> Session {
        Session {
            id,
            recipient: person.recipient,
            locale: person.locale,
            nonce: person.nonce,
            upstream_id: self.upstream_id,
            status: self.status.on_the_wire(),
            deliveries: booked(&self.deliveries).iter().map(delivery).collect(),
            seen_at: time(now),
            expires_at: time(self.expires_at),
            expires_in: until(time(self.expires_at), time(now)),
            checks_left: self.checks_left,
        }
    }
}

/// A delivery as it is kept, to stand behind the ones before.
fn delivery_text(delivery: &Booked) -> String {
    let Booked { channel, at, .. } = delivery;
    match delivery.expected {
        Some(expected) => format!("{channel} {at} {expected}"),
        None => format!("{channel} {at} ="),
    }
}

/// All of them, as they are kept.
pub(super) fn deliveries_text(deliveries: &[Booked]) -> String {
    let texts: Vec<String> = deliveries.iter().map(delivery_text).collect();
    texts.join(";")
}

/// The deliveries that were kept, oldest first.
pub(super) fn booked(text: &str) -> Vec<Booked> {
    let read = |text: &str| {
        let mut words = text.split(' ');
        Some(Booked {
            channel: Channel::parse(words.next()?)?,
            at: words.next()?.parse().ok()?,
            expected: match words.next() {
                Some("=") => None,
                // Of a version that booked nothing.
                None => Some(0),
                Some(expected) => Some(expected.parse().ok()?),
            },
        })
    };
    text.split(';').filter_map(read).collect()
}

fn read_person(text: &str) -> Option<Person> {
    let mut words = text.split(' ');
    Some(Person {
        recipient: PhoneNumber::parse(words.next()?).ok()?,
        locale: Locale::parse(words.next()?).ok()?,
        nonce: words.next().map(str::to_owned),
    })
}

fn delivery(kept: &Booked) -> Delivery {
    Delivery {
        channel: kept.channel,
        requested_at: time(kept.at),
        is_charged: kept.expected.is_none(),
    }
}
