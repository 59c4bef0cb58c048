//! Sessions and limits in one SQLite file: there after a restart, a crash and
//! `kill -9`, readable with any SQLite tool, for one machine.

mod anchor;
mod cache;
mod charges;
mod checkpoint;
mod conversion;
mod counted;
mod limits;
mod open;
mod row;
mod step;
mod sweep;
mod upstream;
mod writer;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use countersign_shared::{Channel, PhoneNumber, SessionId};
use rusqlite::{OptionalExtension, params};

pub use self::open::{OpenError, check};
use self::{
    step::Step,
    writer::{Outlives, Writer},
};
use super::{
    Charged, CheckReservation, CheckTerms, Claim, Hold, KeyedRequest, Known, Limit, MAX_MISMATCHES,
    NewSession, Place, ResendReservation, SendReservation, SendTerms, Session, SessionOver,
    Settlement, Store, StoreResult, Vault, Wait, Watched,
    millis::{Millis, length, millis},
    record::{Person, Record, Status, UNDER_WAY, booked},
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

    /// One step at one moment, which the end of the machine does not undo.
    async fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Step<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.step_that_outlives(Outlives::Machine, step).await
    }

    /// One that reserves a send, or gives back: it tells nobody that something was
    /// done, and what a power cut undoes is the count of what was under way.
    async fn passing_step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Step<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.step_that_outlives(Outlives::Process, step).await
    }

    async fn step_that_outlives<T: Send + 'static>(
        &self,
        outlives: Outlives,
        step: impl FnOnce(&mut Step<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> StoreResult<T> {
        let context = self.context.clone();
        self.writer
            .step(outlives, move |transaction, cache| {
                step(&mut Step {
                    transaction,
                    cache,
                    now: context.now(),
                    context: &context,
                })
            })
            .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn reserve_send(
        &self,
        recipient: &PhoneNumber,
        terms: SendTerms,
    ) -> StoreResult<SendReservation> {
        let recipient = recipient.clone();
        self.passing_step(move |step| {
            let going = (&recipient, false, &terms.place);
            Ok(match step.reserve(Some(going), terms.claims)? {
                Err(wait) => SendReservation::Wait(wait),
                Ok(hold) => SendReservation::Reserved(hold),
            })
        })
        .await
    }

    async fn record_sent(
        &self,
        new: &NewSession,
        upstream_id: String,
        hold: &Hold,
    ) -> StoreResult<Session> {
        let (id, person, taken) = (new.id, Person::of(new), hold.taken());
        // Here and not in the step: all steps share one thread.
        let Context { vault, rules, .. } = &*self.context;
        let checks = rules.checks_per_session;
        let mut record = Record::begun(vault, new, checks, upstream_id, &taken);
        self.step(move |step| {
            record.expires_at = step.now + length(step.context.rules.session_lifetime);
            step.count_sent(&taken.place, taken.at)?;
            step.keep(id, record.clone())?;
            Ok(record.seen(id, person, step.now))
        })
        .await
    }

    async fn release_send(&self, recipient: &PhoneNumber, hold: Hold) -> StoreResult<()> {
        let recipient = recipient.clone();
        self.passing_step(move |step| step.give_back(Some(&recipient), &hold, |_| true))
            .await
    }

    async fn reserve_resend(
        &self,
        session: &Session,
        terms: SendTerms,
        at_once: bool,
    ) -> StoreResult<ResendReservation> {
        let (id, recipient) = (session.id, session.recipient.clone());
        self.passing_step(move |step| {
            if let Err(over) = step.open(id)? {
                return Ok(ResendReservation::Over(over));
            }
            let going = (&recipient, at_once, &terms.place);
            Ok(match step.reserve(Some(going), terms.claims)? {
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
        self.step(move |step| {
            step.count_sent(&taken.place, taken.at)?;
            let mut record = match step.live(id)? {
                Ok(record) => record,
                Err(over) => return Ok(Err(over)),
            };
            record.upstream_id = upstream_id;
            record.deliver(channel, &taken);
            step.keep(id, record.clone())?;
            let seen = step.seen(id, record)?;
            Ok(seen.ok_or(SessionOver::NotFound))
        })
        .await
    }

    async fn reserve_check(
        &self,
        id: SessionId,
        terms: CheckTerms,
    ) -> StoreResult<CheckReservation> {
        // Plivo's word on a code is told, and must not outlive the count of the check.
        self.step(move |step| {
            let mut record = match step.open(id)? {
                Ok(record) => record,
                Err(over) => return Ok(CheckReservation::Over(over)),
            };
            // The last check is under way; its answer decides the status.
            if record.checks_left == 0 {
                return Ok(CheckReservation::Over(SessionOver::ChecksExhausted));
            }
            record.checks_left -= 1;
            let Some(session) = step.seen(id, record.clone())? else {
                return Ok(CheckReservation::Over(SessionOver::NotFound));
            };
            let claims = terms.claims_on(session.recipient.as_str());
            match step.reserve(None, claims)? {
                Err(wait) => Ok(CheckReservation::Wait(wait)),
                Ok(hold) => {
                    step.keep(id, record)?;
                    Ok(CheckReservation::Reserved {
                        hold,
                        session: Box::new(session),
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
        self.step(move |step| {
            if accepted {
                step.give_back(None, &hold, |limit| limit == Limit::WrongChecksPerNumber)?;
            }
            let mut record = match step.live(id)? {
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
                let sent_at: Vec<Millis> =
                    booked(&record.deliveries).iter().map(|it| it.at).collect();
                step.count_verified(&place, &sent_at)?;
                step.keep(id, record)?;
                return Ok(Settlement::Verified);
            }
            let checks_left = record.checks_left;
            if checks_left == 0 {
                record.status = Status::Exhausted;
                step.keep(id, record)?;
            }
            Ok(Settlement::Incorrect { checks_left })
        })
        .await
    }

    async fn release_check(&self, id: SessionId, hold: Hold) -> StoreResult<()> {
        self.passing_step(move |step| {
            step.give_back(None, &hold, |_| true)?;
            if let Ok(mut record) = step.live(id)? {
                record.checks_left += 1;
                if record.status == Status::Exhausted {
                    record.status = Status::Pending;
                }
                step.keep(id, record)?;
            }
            Ok(())
        })
        .await
    }

    async fn send_wait(&self, recipient: &PhoneNumber, terms: SendTerms) -> StoreResult<Duration> {
        let recipient = recipient.clone();
        self.step(move |step| step.wait(&recipient, &terms)).await
    }

    async fn use_up(&self, claims: Vec<Claim>) -> StoreResult<Result<(), Wait>> {
        self.step(move |step| Ok(step.reserve(None, claims)?.map(drop)))
            .await
    }

    async fn used(&self, claim: Claim) -> StoreResult<Vec<u64>> {
        self.step(move |step| step.used(&claim)).await
    }

    async fn note_charges(
        &self,
        session: &Session,
        charges: Charges,
        spend: Option<Claim>,
    ) -> StoreResult<Vec<Charged>> {
        let session = session.clone();
        self.step(move |step| step.note_charges(&session, &charges, spend.as_ref()))
            .await
    }

    async fn session(&self, id: SessionId) -> StoreResult<Result<Session, SessionOver>> {
        self.step(move |step| {
            let record = match step.live(id)? {
                Ok(record) => record,
                Err(over) => return Ok(Err(over)),
            };
            Ok(step.seen(id, record)?.ok_or(SessionOver::NotFound))
        })
        .await
    }

    async fn spend(&self, name: &str, kept_for: Duration) -> StoreResult<bool> {
        let name = name.to_owned();
        self.step(move |step| {
            let spent = step.is_spent(&name)?;
            if !spent {
                step.transaction
                    .prepare_cached("INSERT OR REPLACE INTO spent_proof VALUES (?1, ?2)")?
                    .execute(params![
                        step.context.vault.spent_name(&name),
                        step.now + length(kept_for)
                    ])?;
            }
            Ok(!spent)
        })
        .await
    }

    async fn is_spent(&self, name: &str) -> StoreResult<bool> {
        let name = name.to_owned();
        self.step(move |step| step.is_spent(&name)).await
    }

    async fn watch(&self, upstream_id: &str, pace: Duration) -> StoreResult<Watched> {
        let upstream_id = upstream_id.to_owned();
        self.step(move |step| step.watch(&upstream_id, pace)).await
    }

    async fn note_attempts(
        &self,
        upstream_id: &str,
        noted: Vec<Noted>,
        ask_again: bool,
    ) -> StoreResult<Vec<Channel>> {
        let upstream_id = upstream_id.to_owned();
        self.step(move |step| step.note_attempts(&upstream_id, &noted, ask_again))
            .await
    }

    async fn begin(&self, request: &KeyedRequest) -> StoreResult<Known> {
        let request = request.clone();
        self.step(move |step| {
            let Step { transaction, context, now, .. } = *step;
            let id = context.vault.request_name(&request);
            let body = context.vault.body_name(&request);
            let kept: Option<(u32, [u8; 16], Option<Vec<u8>>, Millis)> = transaction
                .prepare_cached(
                    "SELECT mismatches, body, answer, forget_at FROM answer \
                     WHERE id = ?1 AND forget_at > ?2",
                )?
                .query_row(params![id, now], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
                .optional()?;
            let kept_for = length(request.kept_for);
            Ok(match kept {
                Some((MAX_MISMATCHES.., ..)) => Known::Blocked,
                Some((_, kept_body, ..)) if kept_body != body => {
                    transaction
                        .prepare_cached("UPDATE answer SET mismatches = mismatches + 1 WHERE id = ?1")?
                        .execute([id])?;
                    Known::Mismatched
                }
                Some((_, _, None, forget_at)) => {
                    if now + kept_for < forget_at + length(UNDER_WAY) {
                        Known::UnderWay
                    } else {
                        Known::Lost
                    }
                }
                Some((_, _, Some(sealed), _)) => context
                    .vault
                    .open_answer(&request, &sealed)
                    .map_or(Known::Mismatched, Known::Answered),
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
        self.step(move |step| {
            let Step {
                transaction,
                context,
                now,
                ..
            } = *step;
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
                .prepare_cached(
                    "INSERT INTO answer (id, body, answer, forget_at) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (id) DO UPDATE SET body = ?2, answer = ?3, forget_at = ?4",
                )?
                .execute(params![id, body, sealed, now + length(request.kept_for)])?;
            Ok(())
        })
        .await
    }

    async fn ready(&self) -> StoreResult<()> {
        // A write, or a disk that takes no more would look healthy.
        self.step(|step| {
            let save = "UPDATE anchor SET time_ms = max(time_ms, ?1)";
            step.transaction.execute(save, [step.now])?;
            Ok(())
        })
        .await
    }

    async fn time(&self) -> StoreResult<SystemTime> {
        Ok(self.context.clock.now())
    }

    async fn sweep(&self) -> StoreResult<()> {
        // A little at a time: others come between.
        while self.step(sweep::slice).await? {}
        Ok(())
    }
}

impl Step<'_> {
    fn is_spent(&self, name: &str) -> rusqlite::Result<bool> {
        let name = self.context.vault.spent_name(name);
        self.transaction
            .prepare_cached("SELECT 1 FROM spent_proof WHERE id = ?1 AND forget_at > ?2")?
            .exists(params![name, self.now])
    }
}
