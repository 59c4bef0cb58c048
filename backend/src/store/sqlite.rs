//! Sessions and limits in one SQLite file: there after a restart, a crash and
//! `kill -9`, readable with any SQLite tool, for one machine.

mod anchor;
mod charges;
mod conversion;
mod limits;
mod open;
mod row;
mod upstream;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_shared::{Channel, PhoneNumber, SessionId};
use rusqlite::{OptionalExtension, Transaction, params};

pub use self::open::{OpenError, check};
use self::{limits::Keyed, writer::Writer};
use super::{
    Charged, CheckReservation, Claim, Hold, KeyedRequest, Known, Limit, NewSession, Place,
    ResendReservation, SendReservation, SendTerms, Session, SessionOver, Settlement, Store,
    StoreResult, StoreUnreachable, Vault, Watched,
    millis::{Millis, length, millis},
    record::{Status, UNDER_WAY, booked},
};
use crate::{
    attempt::{Charges, Noted},
    clock::Clock,
    config::Rules,
};

/// A store in one file.
pub struct SqliteStore {
    writer: Writer,
    context: Arc<Context>,
}

/// What every step knows.
struct Context {
    clock: Arc<dyn Clock>,
    rules: Rules,
    vault: Vault,
}

impl Context {
    fn now(&self) -> Millis {
        millis(self.clock.now())
    }
}

impl SqliteStore {
    /// Opens the file, or makes it. `clock` is the store's own where none is
    /// given: see the anchor.
    pub fn open(
        path: &Path,
        vault: Vault,
        rules: Rules,
        clock: Option<Arc<dyn Clock>>,
    ) -> Result<Self, OpenError> {
        let (connection, clock) = open::open(path, &vault, clock)?;
        let writer = Writer::start(connection, path).map_err(|source| OpenError::Unusable {
            path: path.to_owned(),
            problem: source.to_string(),
        })?;
        Ok(Self {
            writer,
            context: Arc::new(Context {
                clock,
                rules,
                vault,
            }),
        })
    }

    /// One step at one moment.
    async fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Transaction<'_>, &Context, Millis) -> rusqlite::Result<T> + Send + 'static,
    ) -> StoreResult<T> {
        let context = self.context.clone();
        self.writer
            .step(move |transaction| {
                let now = context.now();
                step(transaction, &context, now)
            })
            .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn reserve_send(
        &self,
        session: &NewSession,
        terms: SendTerms,
    ) -> StoreResult<SendReservation> {
        let session = session.clone();
        self.step(move |transaction, context, now| {
            let keyed = Keyed::of(transaction, context, now);
            let going = (&session.recipient, false, &terms.place);
            match keyed.reserve(Some(going), terms.claims)? {
                Err(wait) => Ok(SendReservation::Wait(wait)),
                Ok(hold) => {
                    row::insert(transaction, context, &session, now)?;
                    Ok(SendReservation::Reserved(hold))
                }
            }
        })
        .await
    }

    async fn record_sent(
        &self,
        new: &NewSession,
        upstream_id: String,
        hold: &Hold,
    ) -> StoreResult<Session> {
        let (id, taken) = (new.id, hold.taken());
        let recorded = self
            .step(move |transaction, context, now| {
                // Swept away only where the call took longer than a session lives.
                let Some(mut record) = row::read(transaction, context, id)? else {
                    return Ok(None);
                };
                record.status = Status::Pending;
                record.upstream_id = upstream_id;
                let channel = record.channel;
                row::deliver(&mut record, channel, &taken);
                conversion::sent(transaction, context, &taken.place, (taken.at, now))?;
                record.expires_at = now + length(context.rules.session_lifetime);
                row::write(transaction, context, &record)?;
                row::seen(record, context, now)
            })
            .await?;
        recorded.ok_or(StoreUnreachable)
    }

    async fn release_send(&self, new: &NewSession, hold: Hold) -> StoreResult<()> {
        let new = new.clone();
        self.step(move |transaction, context, now| {
            let keyed = Keyed::of(transaction, context, now);
            keyed.give_back(Some(&new.recipient), &hold, |_| true)?;
            row::delete(transaction, context, new.id)
        })
        .await
    }

    async fn abandon_send(&self, id: SessionId) -> StoreResult<()> {
        self.step(move |transaction, context, _| row::delete(transaction, context, id))
            .await
    }

    async fn reserve_resend(
        &self,
        session: &Session,
        terms: SendTerms,
        at_once: bool,
    ) -> StoreResult<ResendReservation> {
        let (id, recipient) = (session.id, session.recipient.clone());
        self.step(move |transaction, context, now| {
            if let Err(over) = row::open(transaction, context, id, now)? {
                return Ok(ResendReservation::Over(over));
            }
            let keyed = Keyed::of(transaction, context, now);
            let going = (&recipient, at_once, &terms.place);
            Ok(match keyed.reserve(Some(going), terms.claims)? {
                Ok(hold) => ResendReservation::Reserved(hold),
                Err(wait) => ResendReservation::Wait(wait),
            })
        })
        .await
    }

    async fn record_resent(
        &self,
        session: &Session,
        channel: Channel,
        upstream_id: String,
        hold: &Hold,
    ) -> StoreResult<Result<Session, SessionOver>> {
        let (id, taken) = (session.id, hold.taken());
        self.step(move |transaction, context, now| {
            conversion::sent(transaction, context, &taken.place, (taken.at, now))?;
            let mut record = match row::live(transaction, context, id, now)? {
                Ok(record) => record,
                Err(over) => return Ok(Err(over)),
            };
            record.upstream_id = upstream_id;
            row::deliver(&mut record, channel, &taken);
            row::write(transaction, context, &record)?;
            let seen = row::seen(record, context, now)?;
            Ok(seen.ok_or(SessionOver::NotFound))
        })
        .await
    }

    async fn release_resend(&self, session: &Session, hold: Hold) -> StoreResult<()> {
        let recipient = session.recipient.clone();
        self.step(move |transaction, context, now| {
            let keyed = Keyed::of(transaction, context, now);
            keyed.give_back(Some(&recipient), &hold, |_| true)
        })
        .await
    }

    async fn reserve_check(
        &self,
        id: SessionId,
        claims: Vec<Claim>,
    ) -> StoreResult<CheckReservation> {
        self.step(move |transaction, context, now| {
            let mut record = match row::open(transaction, context, id, now)? {
                Ok(record) => record,
                Err(over) => return Ok(CheckReservation::Over(over)),
            };
            // The last check is under way; its answer decides the status.
            if record.checks_left == 0 {
                return Ok(CheckReservation::Over(SessionOver::ChecksExhausted));
            }
            let keyed = Keyed::of(transaction, context, now);
            match keyed.reserve(None, claims)? {
                Err(wait) => Ok(CheckReservation::Wait(wait)),
                Ok(hold) => {
                    record.checks_left -= 1;
                    row::write(transaction, context, &record)?;
                    Ok(CheckReservation::Reserved {
                        hold,
                        upstream_id: record.upstream_id,
                    })
                }
            }
        })
        .await
    }

    async fn settle_check(
        &self,
        id: SessionId,
        accepted: bool,
        hold: Hold,
        place: &Place,
    ) -> StoreResult<Settlement> {
        let place = place.clone();
        self.step(move |transaction, context, now| {
            if accepted {
                let keyed = Keyed::of(transaction, context, now);
                keyed.give_back(None, &hold, |limit| limit == Limit::WrongChecksPerNumber)?;
            }
            let mut record = match row::live(transaction, context, id, now)? {
                Ok(record) => record,
                Err(over) => return Ok(Settlement::Over(over)),
            };
            if record.status == Status::Verified {
                return Ok(Settlement::Over(SessionOver::AlreadyVerified));
            }
            // A right code on the last check counts, also when a wrong one that
            // ran beside it was answered first.
            if accepted {
                record.status = Status::Verified;
                row::write(transaction, context, &record)?;
                let sent_at: Vec<Millis> =
                    booked(&record.deliveries).iter().map(|it| it.at).collect();
                conversion::verified(transaction, context, &place, &sent_at)?;
                return Ok(Settlement::Verified);
            }
            if record.checks_left == 0 {
                record.status = Status::Exhausted;
                row::write(transaction, context, &record)?;
            }
            Ok(Settlement::Incorrect {
                checks_left: record.checks_left,
            })
        })
        .await
    }

    async fn release_check(&self, id: SessionId, hold: Hold) -> StoreResult<()> {
        self.step(move |transaction, context, now| {
            let keyed = Keyed::of(transaction, context, now);
            keyed.give_back(None, &hold, |_| true)?;
            if let Ok(mut record) = row::live(transaction, context, id, now)? {
                record.checks_left += 1;
                if record.status == Status::Exhausted {
                    record.status = Status::Pending;
                }
                row::write(transaction, context, &record)?;
            }
            Ok(())
        })
        .await
    }

    async fn send_wait(&self, recipient: &PhoneNumber, terms: SendTerms) -> StoreResult<Duration> {
        let recipient = recipient.clone();
        self.step(move |transaction, context, now| {
            let keyed = Keyed::of(transaction, context, now);
            keyed.wait(&recipient, &terms)
        })
        .await
    }

    async fn used(&self, claim: Claim) -> StoreResult<Vec<u64>> {
        self.step(move |transaction, context, now| {
            let keyed = Keyed::of(transaction, context, now);
            keyed.used(&claim)
        })
        .await
    }

    async fn note_charges(
        &self,
        session: &Session,
        charges: Charges,
        spend: Option<Claim>,
    ) -> StoreResult<Vec<Charged>> {
        let session = session.clone();
        self.step(move |transaction, context, now| {
            let keyed = Keyed::of(transaction, context, now);
            keyed.note_charges(&session, &charges, spend.as_ref())
        })
        .await
    }

    async fn session(&self, id: SessionId) -> StoreResult<Result<Session, SessionOver>> {
        self.step(move |transaction, context, now| {
            let record = match row::live(transaction, context, id, now)? {
                Ok(record) => record,
                Err(over) => return Ok(Err(over)),
            };
            let seen = row::seen(record, context, now)?;
            Ok(seen.ok_or(SessionOver::NotFound))
        })
        .await
    }

    async fn spend(&self, name: &str, kept_for: Duration) -> StoreResult<bool> {
        let name = name.to_owned();
        self.step(move |transaction, context, now| {
            let spent = is_spent(transaction, context, &name, now)?;
            if !spent {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO spent_proof VALUES (?1, ?2)")?
                    .execute(params![
                        context.vault.spent_name(&name),
                        now + length(kept_for)
                    ])?;
            }
            Ok(!spent)
        })
        .await
    }

    async fn is_spent(&self, name: &str) -> StoreResult<bool> {
        let name = name.to_owned();
        self.step(move |transaction, context, now| is_spent(transaction, context, &name, now))
            .await
    }

    async fn watch(&self, upstream_id: &str, pace: Duration) -> StoreResult<Watched> {
        let upstream_id = upstream_id.to_owned();
        self.step(move |transaction, context, now| {
            upstream::watch(transaction, context, &upstream_id, pace, now)
        })
        .await
    }

    async fn note_attempts(
        &self,
        upstream_id: &str,
        noted: Vec<Noted>,
        ask_again: bool,
    ) -> StoreResult<Vec<Channel>> {
        let upstream_id = upstream_id.to_owned();
        self.step(move |transaction, context, now| {
            upstream::note(transaction, context, &upstream_id, (&noted, ask_again), now)
        })
        .await
    }

    async fn begin(&self, request: &KeyedRequest) -> StoreResult<Known> {
        let request = request.clone();
        self.step(move |transaction, context, now| {
            let id = context.vault.request_name(&request);
            let body = context.vault.body_name(&request);
            let kept: Option<([u8; 16], Option<Vec<u8>>, Millis)> = transaction
                .prepare_cached(
                    "SELECT body, answer, forget_at FROM answer WHERE id = ?1 AND forget_at > ?2",
                )?
                .query_row(params![id, now], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            let kept_for = length(request.kept_for);
            Ok(match kept {
                Some((kept_body, ..)) if kept_body != body => Known::Reused,
                Some((_, None, forget_at)) => {
                    if now + kept_for < forget_at + length(UNDER_WAY) {
                        Known::UnderWay
                    } else {
                        Known::Lost
                    }
                }
                Some((_, Some(sealed), _)) => context
                    .vault
                    .open_answer(&request, &sealed)
                    .map_or(Known::Reused, Known::Answered),
                None => {
                    transaction
                        .prepare_cached(
                            "INSERT OR REPLACE INTO answer (id, body, forget_at) VALUES (?1, ?2, ?3)",
                        )?
                        .execute(params![id, body, now + kept_for])?;
                    Known::New
                }
            })
        })
        .await
    }

    async fn finish(&self, request: &KeyedRequest, answer: Option<String>) -> StoreResult<()> {
        let request = request.clone();
        self.step(move |transaction, context, now| {
            let id = context.vault.request_name(&request);
            let Some(answer) = answer else {
                transaction
                    .prepare_cached("DELETE FROM answer WHERE id = ?1")?
                    .execute([id])?;
                return Ok(());
            };
            let body = context.vault.body_name(&request);
            let sealed = context.vault.seal_answer(&request, &answer);
            transaction
                .prepare_cached("INSERT OR REPLACE INTO answer VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![id, body, sealed, now + length(request.kept_for)])?;
            Ok(())
        })
        .await
    }

    async fn ready(&self) -> StoreResult<()> {
        // A write, or a disk that takes no more would look healthy.
        self.step(|transaction, _, now| {
            transaction.execute("UPDATE anchor SET time_ms = max(time_ms, ?1)", [now])?;
            Ok(())
        })
        .await
    }

    async fn sweep(&self) -> StoreResult<()> {
        self.step(|transaction, context, now| {
            transaction.execute(
                "UPDATE session SET number = NULL, person = NULL, upstream_id = '', deliveries = ''
                 WHERE expires_at <= ?1 AND person IS NOT NULL",
                [now],
            )?;
            transaction.execute("DELETE FROM session WHERE forget_at <= ?1", [now])?;
            for table in [
                "ladder",
                "uses",
                "answer",
                "spent_proof",
                "upstream",
                "conversion",
                "charges",
            ] {
                let forget = format!("DELETE FROM {table} WHERE forget_at <= ?1");
                transaction.execute(&forget, [now])?;
            }
            anchor::save(transaction, context.clock.as_ref())
        })
        .await
    }
}

fn is_spent(
    transaction: &Transaction<'_>,
    context: &Context,
    name: &str,
    now: Millis,
) -> rusqlite::Result<bool> {
    transaction
        .prepare_cached("SELECT 1 FROM spent_proof WHERE id = ?1 AND forget_at > ?2")?
        .exists(params![context.vault.spent_name(name), now])
}
