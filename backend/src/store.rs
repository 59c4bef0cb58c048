//! Where sessions and limits live. The methods are the domain's own steps, so
//! that each home can make every step one atomic decision.
//!
//! Reserve, then call, then settle: what is reserved is given back only when the
//! request certainly never left.
//!
//! Nothing in a store can be read without the operator's key: numbers, addresses
//! and the names of sessions are keyed hashes, and the number of a live session
//! is sealed with the session's name, which the store does not have.

mod charges;
mod claim;
mod conversion;
pub mod key_file;
pub mod measured;
mod millis;
mod names;
mod number;
pub mod queue;
mod record;
pub mod redis;
pub mod sqlite;
mod upstream;
mod vault;
mod window;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use countersign_shared::{Channel, Locale, PhoneNumber, SessionId, session::SessionStatus};
use serde::{Deserialize, Serialize};

use self::millis::Millis;
use crate::{
    attempt::{Charges, Noted},
    clock::until,
};

pub use self::{
    charges::Charged,
    claim::{CheckTerms, Claim, Limit, Place, SendTerms, Share, Slump, Wait},
    upstream::Watched,
    vault::{InvalidSecretKey, Vault},
};

/// The store did not answer. Nothing may be sent or accepted.
#[derive(Debug, thiserror::Error)]
#[error("the store is unreachable")]
pub struct StoreUnreachable;

/// A step's outcome, when the store answers at all.
pub type StoreResult<T> = Result<T, StoreUnreachable>;

/// A session that begins.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its name.
    pub id: SessionId,
    /// Where the code goes.
    pub recipient: PhoneNumber,
    /// How it goes there.
    pub channel: Channel,
    /// The language of the message.
    pub locale: Locale,
    /// What its proof repeats.
    pub nonce: Option<String>,
}

/// One delivery, as far as the session knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How it travelled.
    pub channel: Channel,
    /// When it was asked for.
    pub requested_at: SystemTime,
    /// Whether what Plivo charges for it is known.
    pub is_charged: bool,
}

/// A live session, seen at one moment.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// Whose number is verified.
    pub recipient: PhoneNumber,
    /// The language of the messages.
    pub locale: Locale,
    /// What its proof repeats.
    pub nonce: Option<String>,
    /// Plivo's name for it, which never leaves the server.
    pub upstream_id: String,
    /// How it stands.
    pub status: SessionStatus,
    /// Every delivery, oldest first. Never empty.
    pub deliveries: Vec<Delivery>,
    /// The moment that this is seen at, by the store's clock.
    pub seen_at: SystemTime,
    /// When it ends.
    pub expires_at: SystemTime,
    /// How long until then.
    pub expires_in: Duration,
    /// Codes that may still be tried.
    pub checks_left: u8,
}

impl Session {
    /// How the last code travelled.
    pub fn last_channel(&self) -> Channel {
        let last = self.deliveries.last();
        last.map(|delivery| delivery.channel).unwrap_or_default()
    }
}

/// Why a session takes no further step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionOver {
    /// Never heard of it, or long forgotten.
    NotFound,
    /// Its time is over.
    Expired,
    /// Its code was used.
    AlreadyVerified,
    /// Its checks are used up.
    ChecksExhausted,
}

/// What a step holds until it is settled or given back.
#[derive(Debug)]
#[must_use = "what is held is settled or given back"]
pub struct Hold {
    claims: Vec<Claim>,
    /// For each claim on different things, when this one was counted before.
    previous: Vec<Option<Millis>>,
    taken_at: Millis,
    ladder: Option<Ladder>,
    /// When another step like this one passes.
    next_at: Millis,
    /// Where it goes, of a send.
    place: Place,
    /// Where too few codes are given back, which is not enforced.
    slumps: Vec<Slump>,
    /// How much of the spend caps is used, this included; none without caps.
    spent: Vec<u64>,
}

/// What is written down of a send that Plivo took.
struct Taken {
    /// When it was asked for.
    at: Millis,
    /// What it is expected to cost, where that is booked.
    expected: u64,
    place: Place,
}

impl Hold {
    fn taken(&self) -> Taken {
        let spend = self.claims.iter().find(|it| it.limit == Limit::Spend);
        Taken {
            at: self.taken_at,
            expected: spend.map_or(0, |claim| claim.amount),
            place: self.place.clone(),
        }
    }

    /// Where too few codes are given back, which is not enforced.
    pub fn slumps(&self) -> &[Slump] {
        &self.slumps
    }

    /// How much of each spend cap is used, in millionths of a dollar, this
    /// included; none without caps.
    pub fn spent(&self) -> &[u64] {
        &self.spent
    }

    /// How long after `now` another step like this one passes.
    pub fn next_in(&self, now: SystemTime) -> Duration {
        until(millis::time(self.next_at), now)
    }
}

/// How often a number was sent to lately, and when it may be again. One for the
/// number, whatever the session: starting again refills nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Ladder {
    sends: u32,
    next_at: Millis,
}

/// May this send go ahead?
#[derive(Debug)]
pub enum SendReservation {
    /// Yes; every limit has counted it.
    Reserved(Hold),
    /// Not now. Nothing was counted.
    Wait(Wait),
}

/// May this resend go ahead?
#[derive(Debug)]
pub enum ResendReservation {
    /// Yes; every limit has counted it.
    Reserved(Hold),
    /// Not now. Nothing was counted.
    Wait(Wait),
    /// The session takes no resend.
    Over(SessionOver),
}

/// May this code be checked?
#[derive(Debug)]
pub enum CheckReservation {
    /// Yes, and one check is used.
    Reserved {
        /// What to settle or give back.
        hold: Hold,
        /// The session as it stands now.
        session: Box<Session>,
    },
    /// Not now. Nothing was counted.
    Wait(Wait),
    /// The session takes no check.
    Over(SessionOver),
}

/// How a check ended.
#[derive(Debug)]
pub enum Settlement {
    /// The session is verified, by this check.
    Verified,
    /// The code was wrong.
    Incorrect {
        /// Codes that may still be tried.
        checks_left: u8,
    },
    /// The answer came when the session was already over.
    Over(SessionOver),
}

/// A request that its caller may repeat under one key (the IETF draft on the
/// Idempotency-Key header).
#[derive(Clone)]
pub struct KeyedRequest {
    /// Whose the key is, what it is used for, and the key: the same key of another
    /// caller, or of another session, is another request.
    pub name: String,
    /// The request itself: under the same key it must be the same.
    pub body: String,
    /// How long the answer is kept.
    pub kept_for: Duration,
}

/// How often a key may come with another request before nothing is compared under
/// it any more.
pub const MAX_MISMATCHES: u32 = 5;

/// What is known of a keyed request.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: go ahead. The name is taken.
    New,
    /// It is under way elsewhere.
    UnderWay,
    /// It was begun and never answered: its process has died, or the store was
    /// gone. What it did is not known.
    Lost,
    /// The key was used for another request. The key counts how often that happens.
    Mismatched,
    /// That happened [`MAX_MISMATCHES`] times: the request was not compared, or the
    /// key would tell by trial and error what the first one said.
    Blocked,
    /// It was answered so.
    Answered(String),
}

/// A home for sessions, limits and answers.
#[async_trait]
pub trait Store: Send + Sync {
    /// Counts a send everywhere, before Plivo is called.
    async fn reserve_send(
        &self,
        recipient: &PhoneNumber,
        terms: SendTerms,
    ) -> StoreResult<SendReservation>;

    /// Plivo took the send: the session begins, and counts where it went.
    async fn record_sent(
        &self,
        new: &NewSession,
        upstream_id: String,
        hold: &Hold,
    ) -> StoreResult<Session>;

    /// A send or resend never left: all that was counted is given back.
    async fn release_send(&self, recipient: &PhoneNumber, hold: Hold) -> StoreResult<()>;

    /// Counts a resend everywhere, before Plivo is called. `at_once` waits for no
    /// rung of the number's ladder, but climbs it.
    async fn reserve_resend(
        &self,
        session: &Session,
        terms: SendTerms,
        at_once: bool,
    ) -> StoreResult<ResendReservation>;

    /// Plivo took the resend. Its id may be a new one when its own session was
    /// over. `Err` inside means that the session ended meanwhile.
    async fn record_resent(
        &self,
        session: &Session,
        channel: Channel,
        upstream_id: String,
        hold: &Hold,
    ) -> StoreResult<Result<Session, SessionOver>>;

    /// Uses up one check, before Plivo is called.
    async fn reserve_check(
        &self,
        id: SessionId,
        terms: CheckTerms,
    ) -> StoreResult<CheckReservation>;

    /// Plivo answered the check. The first accepted one wins, once, and does not
    /// count as a wrong one. `place` is where the session's codes went.
    async fn settle_check(
        &self,
        id: SessionId,
        accepted: bool,
        hold: Hold,
        place: &Place,
    ) -> StoreResult<Settlement>;

    /// The check never left: it is given back.
    async fn release_check(&self, id: SessionId, hold: Hold) -> StoreResult<()>;

    /// How long until a send to this number would pass; it takes nothing.
    async fn send_wait(&self, recipient: &PhoneNumber, terms: SendTerms) -> StoreResult<Duration>;

    /// Counts what no send and no check stands behind; or nothing at all, and says
    /// how long to wait. It is never given back.
    async fn use_up(&self, claims: Vec<Claim>) -> StoreResult<Result<(), Wait>>;

    /// How much of each of the claim's quotas is used.
    async fn used(&self, claim: Claim) -> StoreResult<Vec<u64>>;

    /// Books what Plivo charged for the session, as far as it is not booked yet,
    /// in the place of what was expected; answers what is new. `spend` is the
    /// claim on the spend caps, where there are any.
    async fn note_charges(
        &self,
        session: &Session,
        charges: Charges,
        spend: Option<Claim>,
    ) -> StoreResult<Vec<Charged>>;

    /// The session as it stands, also when verified or exhausted.
    async fn session(&self, id: SessionId) -> StoreResult<Result<Session, SessionOver>>;

    /// Spends what works once, a proof or a callback's nonce; false when it was
    /// spent before.
    async fn spend(&self, name: &str, kept_for: Duration) -> StoreResult<bool>;

    /// Whether it was spent.
    async fn is_spent(&self, name: &str) -> StoreResult<bool>;

    /// What is known of the attempts of one of Plivo's sessions. Once in `pace`,
    /// and over all instances, it is somebody's turn to ask Plivo.
    async fn watch(&self, upstream_id: &str, pace: Duration) -> StoreResult<Watched>;

    /// Adds what was learned of them, and answers by which channels an attempt is
    /// known to have arrived that was not before: each once, over all instances.
    /// `ask_again` makes it the next one's turn to ask, whatever the pace.
    async fn note_attempts(
        &self,
        upstream_id: &str,
        noted: Vec<Noted>,
        ask_again: bool,
    ) -> StoreResult<Vec<Channel>>;

    /// Takes the request's name, or says what is known of it.
    async fn begin(&self, request: &KeyedRequest) -> StoreResult<Known>;

    /// Keeps the answer for whoever repeats the request; none gives the name
    /// free, because nothing was done.
    async fn finish(&self, request: &KeyedRequest, answer: Option<String>) -> StoreResult<()>;

    /// Whether the store can answer.
    async fn ready(&self) -> StoreResult<()>;

    /// What time it is by the clock that expiries and limits go by.
    async fn time(&self) -> StoreResult<SystemTime>;

    /// Forgets what is over. Called now and then.
    async fn sweep(&self) -> StoreResult<()>;
}
