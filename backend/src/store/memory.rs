//! Sessions in this process's memory: gone with it, and not shared.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use countersign_shared::{Channel, Locale, PhoneNumber, SessionId, session::SessionStatus};

use super::{
    CheckReservation, Delivery, NewSession, PendingResend, ResendReservation, SendReservation,
    Session, SessionOver, Settlement, Store, StoreResult,
};
use crate::{
    clock::{Clock, until},
    config::Rules,
};

/// How long the name of an ended session is remembered, without its number, so
/// that its holder hears "expired" and not "never heard of it".
const MEMORY_OF_THE_ENDED: Duration = Duration::from_hours(1);

/// Sessions in memory.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    rules: Rules,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<SessionId, Entry>,
    /// When the next code may go to a number.
    next_send: HashMap<PhoneNumber, SystemTime>,
}

enum Entry {
    /// Plivo is being asked for the first code.
    Reserved(NewSession),
    /// The code is out.
    Live(Row),
    /// Over; the number is gone.
    Ended { forget_at: SystemTime },
}

struct Row {
    recipient: PhoneNumber,
    locale: Locale,
    upstream_id: String,
    status: SessionStatus,
    deliveries: Vec<Delivery>,
    /// Sends that were asked for, whether or not Plivo took them.
    sends: u32,
    expires_at: SystemTime,
    resend_at: SystemTime,
    /// What `resend_at` was before the resend that is under way.
    resend_at_before: SystemTime,
    checks_left: u8,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>, rules: Rules) -> Self {
        Self {
            clock,
            rules,
            state: Mutex::default(),
        }
    }

    /// A panic elsewhere leaves no step half done: each one is a single block
    /// that does not panic between two writes.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The session while it lives, whatever its status.
    fn live(&mut self, id: SessionId, now: SystemTime) -> Result<&mut Row, SessionOver> {
        match self.sessions.get_mut(&id) {
            Some(Entry::Live(row)) if now < row.expires_at => Ok(row),
            Some(Entry::Live(_)) => Err(SessionOver::Expired),
            Some(Entry::Ended { forget_at }) if now < *forget_at => Err(SessionOver::Expired),
            None | Some(Entry::Reserved(_) | Entry::Ended { .. }) => Err(SessionOver::NotFound),
        }
    }

    /// The session while codes may be sent and tried.
    fn open(&mut self, id: SessionId, now: SystemTime) -> Result<&mut Row, SessionOver> {
        let row = self.live(id, now)?;
        match row.status {
            SessionStatus::Pending => Ok(row),
            SessionStatus::Verified => Err(SessionOver::AlreadyVerified),
            SessionStatus::ChecksExhausted => Err(SessionOver::ChecksExhausted),
        }
    }

    fn hold_number(&mut self, recipient: &PhoneNumber, free_at: SystemTime) {
        let next = self.next_send.entry(recipient.clone()).or_insert(free_at);
        *next = free_at.max(*next);
    }
}

impl Row {
    fn seen(&self, id: SessionId, now: SystemTime) -> Session {
        Session {
            id,
            recipient: self.recipient.clone(),
            upstream_id: self.upstream_id.clone(),
            status: self.status,
            deliveries: self.deliveries.clone(),
            expires_at: self.expires_at,
            expires_in: until(self.expires_at, now),
            resend_in: until(self.resend_at, now),
            checks_left: self.checks_left,
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn reserve_send(&self, session: NewSession) -> StoreResult<SendReservation> {
        let now = self.clock.now();
        let mut state = self.lock();
        let free_at = state.next_send.get(&session.recipient).copied();
        if let Some(retry_after) = free_at
            .map(|at| until(at, now))
            .filter(|wait| !wait.is_zero())
        {
            return Ok(SendReservation::TooSoon { retry_after });
        }
        state.hold_number(&session.recipient, now + self.rules.wait_after(1));
        state.sessions.insert(session.id, Entry::Reserved(session));
        Ok(SendReservation::Reserved)
    }

    async fn record_sent(&self, id: SessionId, upstream_id: String) -> StoreResult<Session> {
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(Entry::Reserved(new)) = state.sessions.remove(&id) else {
            // Swept away: the call took longer than a session lives.
            return Err(super::StoreUnreachable);
        };
        let resend_at = now + self.rules.wait_after(1);
        state.hold_number(&new.recipient, resend_at);
        let row = Row {
            recipient: new.recipient,
            locale: new.locale,
            upstream_id,
            status: SessionStatus::Pending,
            deliveries: vec![Delivery {
                channel: new.channel,
                requested_at: now,
            }],
            sends: 1,
            expires_at: now + self.rules.session_lifetime,
            resend_at,
            resend_at_before: resend_at,
            checks_left: self.rules.checks_per_session,
        };
        let session = row.seen(id, now);
        state.sessions.insert(id, Entry::Live(row));
        Ok(session)
    }

    async fn release_send(&self, id: SessionId) -> StoreResult<()> {
        let mut state = self.lock();
        if let Some(Entry::Reserved(new)) = state.sessions.remove(&id) {
            state.next_send.remove(&new.recipient);
        }
        Ok(())
    }

    async fn abandon_send(&self, id: SessionId) -> StoreResult<()> {
        self.lock().sessions.remove(&id);
        Ok(())
    }

    async fn reserve_resend(&self, id: SessionId) -> StoreResult<ResendReservation> {
        let now = self.clock.now();
        let mut state = self.lock();
        let row = match state.open(id, now) {
            Ok(row) => row,
            Err(over) => return Ok(ResendReservation::Over(over)),
        };
        let retry_after = until(row.resend_at, now);
        if !retry_after.is_zero() {
            return Ok(ResendReservation::TooSoon { retry_after });
        }
        row.sends += 1;
        row.resend_at_before = row.resend_at;
        row.resend_at = now + self.rules.wait_after(row.sends);
        let pending = PendingResend {
            recipient: row.recipient.clone(),
            last_channel: row.deliveries[row.deliveries.len() - 1].channel,
            locale: row.locale.clone(),
        };
        state.hold_number(&pending.recipient, now + self.rules.wait_after(1));
        Ok(ResendReservation::Reserved(pending))
    }

    async fn record_resent(
        &self,
        id: SessionId,
        channel: Channel,
        upstream_id: String,
    ) -> StoreResult<Result<Session, SessionOver>> {
        let now = self.clock.now();
        Ok(self.lock().live(id, now).map(|row| {
            row.upstream_id = upstream_id;
            row.deliveries.push(Delivery {
                channel,
                requested_at: now,
            });
            row.seen(id, now)
        }))
    }

    async fn release_resend(&self, id: SessionId) -> StoreResult<()> {
        let now = self.clock.now();
        if let Ok(row) = self.lock().live(id, now) {
            row.sends -= 1;
            row.resend_at = row.resend_at_before;
        }
        Ok(())
    }

    async fn reserve_check(&self, id: SessionId) -> StoreResult<CheckReservation> {
        let now = self.clock.now();
        Ok(match self.lock().open(id, now) {
            Err(over) => CheckReservation::Over(over),
            // The last check is under way; its answer decides the status.
            Ok(row) if row.checks_left == 0 => CheckReservation::Over(SessionOver::ChecksExhausted),
            Ok(row) => {
                row.checks_left -= 1;
                CheckReservation::Reserved {
                    upstream_id: row.upstream_id.clone(),
                }
            }
        })
    }

    async fn settle_check(&self, id: SessionId, accepted: bool) -> StoreResult<Settlement> {
        let now = self.clock.now();
        let mut state = self.lock();
        let row = match state.live(id, now) {
            Ok(row) => row,
            Err(over) => return Ok(Settlement::Over(over)),
        };
        Ok(match (row.status, accepted) {
            (SessionStatus::Verified, _) => Settlement::Over(SessionOver::AlreadyVerified),
            // A right code on the last check counts, also when a wrong one that
            // ran beside it was answered first.
            (SessionStatus::Pending | SessionStatus::ChecksExhausted, true) => {
                row.status = SessionStatus::Verified;
                Settlement::Verified(row.seen(id, now))
            }
            (SessionStatus::Pending | SessionStatus::ChecksExhausted, false) => {
                if row.checks_left == 0 {
                    row.status = SessionStatus::ChecksExhausted;
                }
                Settlement::Incorrect {
                    checks_left: row.checks_left,
                }
            }
        })
    }

    async fn release_check(&self, id: SessionId) -> StoreResult<()> {
        let now = self.clock.now();
        if let Ok(row) = self.lock().live(id, now) {
            row.checks_left += 1;
            if row.status == SessionStatus::ChecksExhausted {
                row.status = SessionStatus::Pending;
            }
        }
        Ok(())
    }

    async fn session(&self, id: SessionId) -> StoreResult<Result<Session, SessionOver>> {
        let now = self.clock.now();
        Ok(self.lock().live(id, now).map(|row| row.seen(id, now)))
    }

    async fn ready(&self) -> StoreResult<()> {
        Ok(())
    }

    async fn sweep(&self) -> StoreResult<()> {
        let now = self.clock.now();
        let mut state = self.lock();
        for entry in state.sessions.values_mut() {
            if let Entry::Live(row) = entry
                && row.expires_at <= now
            {
                *entry = Entry::Ended {
                    forget_at: row.expires_at + MEMORY_OF_THE_ENDED,
                };
            }
        }
        state
            .sessions
            .retain(|_, entry| !matches!(entry, Entry::Ended { forget_at } if *forget_at <= now));
        state.next_send.retain(|_, free_at| *free_at > now);
        Ok(())
    }
}
