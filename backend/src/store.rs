//! Where sessions live. The methods are the domain's own steps, so that each
//! home can make every step one atomic decision.
//!
//! Reserve, then call, then settle: what is reserved is given back only when the
//! request certainly never left.

pub mod memory;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use countersign_shared::{Channel, Locale, PhoneNumber, SessionId, session::SessionStatus};

/// The store did not answer. Nothing may be sent or accepted.
#[derive(Debug, thiserror::Error)]
#[error("the store is unreachable")]
pub struct StoreUnreachable;

/// A step's outcome, when the store answers at all.
pub type StoreResult<T> = Result<T, StoreUnreachable>;

/// A session that is about to begin.
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
}

/// One delivery, as far as the session knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How it travelled.
    pub channel: Channel,
    /// When it was asked for.
    pub requested_at: SystemTime,
}

/// A live session, seen at one moment.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// Whose number is verified.
    pub recipient: PhoneNumber,
    /// Plivo's name for it, which never leaves the server.
    pub upstream_id: String,
    /// How it stands.
    pub status: SessionStatus,
    /// Every delivery, oldest first. Never empty.
    pub deliveries: Vec<Delivery>,
    /// When it ends.
    pub expires_at: SystemTime,
    /// How long until then.
    pub expires_in: Duration,
    /// How long until a resend is allowed.
    pub resend_in: Duration,
    /// Codes that may still be tried.
    pub checks_left: u8,
}

/// Why a session takes no further step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// May this send go ahead?
#[derive(Debug, PartialEq, Eq)]
pub enum SendReservation {
    /// Yes, and the number's wait has begun.
    Reserved,
    /// A code went to this number a moment ago.
    TooSoon {
        /// Until the next may follow.
        retry_after: Duration,
    },
}

/// May this resend go ahead?
#[derive(Debug)]
pub enum ResendReservation {
    /// Yes, and the next wait has begun.
    Reserved(PendingResend),
    /// The last wait is not over.
    TooSoon {
        /// Until the next may follow.
        retry_after: Duration,
    },
    /// The session takes no resend.
    Over(SessionOver),
}

/// A resend that is about to be called for.
#[derive(Clone, Debug)]
pub struct PendingResend {
    /// Where the code goes.
    pub recipient: PhoneNumber,
    /// How the last one travelled.
    pub last_channel: Channel,
    /// The language of the message.
    pub locale: Locale,
}

/// May this code be checked?
#[derive(Debug)]
pub enum CheckReservation {
    /// Yes, and one check is used.
    Reserved {
        /// Plivo's name for the session.
        upstream_id: String,
    },
    /// The session takes no check.
    Over(SessionOver),
}

/// How a check ended.
#[derive(Debug)]
pub enum Settlement {
    /// The session is verified, by this check.
    Verified(Session),
    /// The code was wrong.
    Incorrect {
        /// Codes that may still be tried.
        checks_left: u8,
    },
    /// The answer came when the session was already over.
    Over(SessionOver),
}

/// A home for sessions.
#[async_trait]
pub trait Store: Send + Sync {
    /// Begins a session and the number's wait, before Plivo is called.
    async fn reserve_send(&self, session: NewSession) -> StoreResult<SendReservation>;

    /// Plivo took the send: the session is live.
    async fn record_sent(&self, id: SessionId, upstream_id: String) -> StoreResult<Session>;

    /// The send never left: the number's wait is given back.
    async fn release_send(&self, id: SessionId) -> StoreResult<()>;

    /// The send failed after it may have left: no session, but the wait stays.
    async fn abandon_send(&self, id: SessionId) -> StoreResult<()>;

    /// Begins the session's next wait, before Plivo is called.
    async fn reserve_resend(&self, id: SessionId) -> StoreResult<ResendReservation>;

    /// Plivo took the resend. Its id may be a new one when its own session was
    /// over. `Err` inside means that the session ended meanwhile.
    async fn record_resent(
        &self,
        id: SessionId,
        channel: Channel,
        upstream_id: String,
    ) -> StoreResult<Result<Session, SessionOver>>;

    /// The resend never left: the wait is given back.
    async fn release_resend(&self, id: SessionId) -> StoreResult<()>;

    /// Uses up one check, before Plivo is called.
    async fn reserve_check(&self, id: SessionId) -> StoreResult<CheckReservation>;

    /// Plivo answered the check. The first accepted one wins, once.
    async fn settle_check(&self, id: SessionId, accepted: bool) -> StoreResult<Settlement>;

    /// The check never left: it is given back.
    async fn release_check(&self, id: SessionId) -> StoreResult<()>;

    /// The session as it stands, also when verified or exhausted.
    async fn session(&self, id: SessionId) -> StoreResult<Result<Session, SessionOver>>;

    /// Whether the store can answer.
    async fn ready(&self) -> StoreResult<()>;

    /// Forgets what is over. Called now and then.
    async fn sweep(&self) -> StoreResult<()>;
}
