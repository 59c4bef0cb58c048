//! Sessions and limits in Redis or Valkey, shared by as many instances as run.
//!
//! Each step is one script, and so one decision whoever else is at it. The
//! server's clock is everybody's. All keys share one hash slot, so a cluster
//! serves as one of its nodes does, and fails over.

mod address;
mod call;
mod link;
mod scripts;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use countersign_shared::{Channel, PhoneNumber, SessionId};
use redis::{ErrorKind, RedisError, Script, ServerErrorKind};

pub use self::address::{Address, InvalidAddress};
use self::{
    call::{Call, Held, Kept, Outcome, Slumped, Waiting},
    link::Link,
    scripts::Scripts,
};
use super::{
    Charged, CheckReservation, CheckTerms, Claim, Hold, KeyedRequest, Known, Limit, MAX_MISMATCHES,
    NewSession, Place, ResendReservation, SendReservation, SendTerms, Session, SessionOver,
    Settlement, Slump, Store, StoreResult, StoreUnreachable, Taken, Vault, Wait, Watched, charges,
    millis::{Millis, length, millis, time},
    names::shown,
    record::{MEMORY_OF_THE_ENDED, Person, Record, Status, UNDER_WAY},
    upstream,
};
use crate::{
    attempt::{Charges, Noted},
    clock::Clock,
    config::Rules,
    money::MicroDollars,
};

/// How long the server remembers which key its names are made with: longer than
/// anything is counted over.
const KEY_CHECK: Duration = Duration::from_hours(31 * 24);

/// Why the store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody answers there, or nobody who lets us in.
    #[error("STORE_URL: cannot use the Redis at {address}: {source}")]
    Unreachable {
        /// Where it should be.
        address: Address,
        /// What the connection says.
        source: RedisError,
    },
    /// A replica, or a server that was told so.
    #[error("STORE_URL: the Redis at {address} takes no writes; name the primary")]
    ReadOnly {
        /// Where it is.
        address: Address,
    },
    /// It forgets counts when its memory is full.
    #[error(
        "STORE_URL: the Redis at {address} drops keys when its memory is full, and limits with them; set maxmemory-policy noeviction"
    )]
    MayEvict {
        /// Where it is.
        address: Address,
    },
    /// The names in it were made with another key.
    #[error(
        "SECRET_KEY: what the Redis at {address} holds was made with another key; restore that key, or use another database"
    )]
    OtherKey {
        /// Where it is.
        address: Address,
    },
}

/// A store in Redis.
pub struct RedisStore {
    link: Link,
    scripts: Scripts,
    rules: Rules,
    vault: Vault,
    /// A test's; else the server's counts.
    clock: Option<Arc<dyn Clock>>,
}

impl RedisStore {
    /// Connects, and looks whether the server is fit. `clock` replaces the
    /// server's.
    pub async fn open(
        address: &Address,
        vault: Vault,
        rules: Rules,
        clock: Option<Arc<dyn Clock>>,
    ) -> Result<Self, OpenError> {
        let failed = |source: RedisError| {
            let address = address.clone();
            match source.kind() {
                ErrorKind::Server(ServerErrorKind::ReadOnly) => OpenError::ReadOnly { address },
                _ => OpenError::Unreachable { address, source },
            }
        };
        let store = Self {
            link: Link::new(address).map_err(failed)?,
            scripts: Scripts::default(),
            rules,
            vault,
            clock,
        };
        let answer = store.link.try_run(&store.scripts.look, store.look()).await;
        let address = address.clone();
        match read(&answer.map_err(failed)?) {
            Ok(Outcome::MayEvict) => Err(OpenError::MayEvict { address }),
            Ok(Outcome::OtherKey) => Err(OpenError::OtherKey { address }),
            Ok(Outcome::Volatile) => {
                log::warn!(
                    event = "store.volatile";
                    "the Redis at {address} keeps no append-only file: sessions and limits end with it"
                );
                Ok(store)
            }
            _ => Ok(store),
        }
    }

    /// Whether the server is fit; and that it remembers our key.
    fn look(&self) -> Call<'_> {
        self.call().key_check().with("kept_for", length(KEY_CHECK))
    }

    fn call(&self) -> Call<'_> {
        let call = Call::new(&self.vault);
        match &self.clock {
            Some(clock) => call.with("now", millis(clock.now())),
            None => call,
        }
    }

    /// A call that moves a ladder.
    fn climbing<'a>(&self, call: Call<'a>, number: &PhoneNumber) -> Call<'a> {
        let waits: Vec<Millis> = self
            .rules
            .resend_waits
            .iter()
            .map(|it| length(*it))
            .collect();
        call.ladder(number)
            .with("waits", waits)
            .with("lifetime", length(self.rules.session_lifetime))
    }

    fn about_upstream(&self, upstream_id: &str) -> Call<'_> {
        let lives = self.rules.session_lifetime + MEMORY_OF_THE_ENDED;
        let call = self.call().upstream(upstream_id);
        call.with("kept_for", length(lives))
    }

    async fn run(&self, script: &Script, call: Call<'_>) -> StoreResult<Outcome> {
        read(&self.link.run(script, call).await?)
    }

    /// A step that has only one outcome.
    async fn done(&self, script: &Script, call: Call<'_>) -> StoreResult<()> {
        match self.run(script, call).await? {
            Outcome::Done => Ok(()),
            _ => Err(unexpected()),
        }
    }

    /// What a step holds, if that is the outcome.
    fn held(&self, outcome: Outcome, terms: SendTerms) -> StoreResult<Hold> {
        match outcome {
            Outcome::Held(held) => self.hold(held, terms),
            _ => Err(unexpected()),
        }
    }

    fn hold(&self, held: Held, terms: SendTerms) -> StoreResult<Hold> {
        let previous = held.previous.into_iter().map(|at| (at > 0).then_some(at));
        Ok(Hold {
            previous: previous.collect(),
            taken_at: held.taken_at,
            ladder: held.ladder,
            next_at: held.next_at,
            slumps: self.slumps(&held.slumps, &terms.place)?,
            spent: numbers(&held.spent)?,
            claims: terms.claims,
            place: terms.place,
        })
    }

    fn wait(&self, waiting: &Waiting, terms: &SendTerms) -> StoreResult<Wait> {
        let claim = waiting.claim.and_then(|place| terms.claims.get(place));
        let part = waiting.place.map(|place| part(&terms.place, place));
        let part = part.transpose()?.map(|(limit, _)| limit);
        let limit = claim.map(|claim| claim.limit).or(part);
        Ok(Wait {
            slumps: self.slumps(&waiting.slumps, &terms.place)?,
            ..Wait::of(waiting.milliseconds, limit)
        })
    }

    fn slumps(&self, slumped: &[Slumped], place: &Place) -> StoreResult<Vec<Slump>> {
        let slump = |slumped: &Slumped| {
            let part = part(place, slumped.place)?;
            Ok(Slump {
                limit: part.0,
                name: shown(&self.vault.place_name(part)),
                found: slumped.found,
            })
        };
        slumped.iter().map(slump).collect()
    }

    /// A call about a send to that place.
    fn going<'a>(&self, call: Call<'a>, place: &Place) -> Call<'a> {
        call.place(place, self.rules.conversion.as_ref())
    }

    /// A call about a send that Plivo took.
    fn taken<'a>(&self, call: Call<'a>, taken: &Taken) -> Call<'a> {
        self.going(call, &taken.place)
            .with("taken_at", taken.at)
            .with("expected", taken.expected)
    }

    /// The session behind what is kept of it.
    fn seen(&self, id: SessionId, kept: Kept) -> StoreResult<Session> {
        let unreadable = |_| unexpected();
        let record = Record {
            person: Some(
                BASE64_STANDARD
                    .decode(&kept.person)
                    .map_err(|_| unexpected())?,
            ),
            upstream_id: kept.upstream_id,
            status: Status::parse(&kept.status).ok_or_else(unexpected)?,
            channel: kept.channel,
            deliveries: kept.deliveries,
            checks_left: kept.checks_left.parse().map_err(|_| unexpected())?,
            expires_at: kept.expires_at.parse().map_err(|_| unexpected())?,
        };
        let person = record.person(&self.vault, id).map_err(unreadable)?;
        let person = person.ok_or(StoreUnreachable)?;
        Ok(record.seen(id, person, kept.now))
    }
}

fn read(answer: &str) -> StoreResult<Outcome> {
    serde_json::from_str(answer).map_err(|_| unexpected())
}

/// What no script of ours answers: somebody else writes to our keys. Not a word
/// of it goes into the log.
fn unexpected() -> StoreUnreachable {
    log::error!(event = "store.failed"; "the store answered what it never should");
    StoreUnreachable
}

fn numbers(texts: &[String]) -> StoreResult<Vec<u64>> {
    let numbers = texts.iter().map(|text| text.parse().ok());
    numbers.collect::<Option<_>>().ok_or_else(unexpected)
}

fn spent(outcome: &Outcome) -> StoreResult<bool> {
    match outcome {
        Outcome::Done => Ok(false),
        Outcome::Spent => Ok(true),
        _ => Err(unexpected()),
    }
}

/// The place's country or range, as scripts name it.
fn part(place: &Place, number: usize) -> StoreResult<(Limit, &str)> {
    let place = number
        .checked_sub(1)
        .and_then(|at| place.parts().get(at).copied());
    place.ok_or_else(unexpected)
}

#[async_trait]
impl Store for RedisStore {
    async fn reserve_send(
        &self,
        recipient: &PhoneNumber,
        terms: SendTerms,
    ) -> StoreResult<SendReservation> {
        let call = self.climbing(self.call(), recipient).claims(&terms.claims);
        let call = self.going(call, &terms.place);
        match self.run(&self.scripts.reserve_send, call).await? {
            Outcome::Wait(waiting) => Ok(SendReservation::Wait(self.wait(&waiting, &terms)?)),
            other => Ok(SendReservation::Reserved(self.held(other, terms)?)),
        }
    }

    async fn record_sent(
        &self,
        new: &NewSession,
        upstream_id: String,
        hold: &Hold,
    ) -> StoreResult<Session> {
        let taken = hold.taken();
        let checks = self.rules.checks_per_session;
        let mut record = Record::begun(&self.vault, new, checks, upstream_id, &taken);
        let person = record.person.as_deref().unwrap_or_default();
        let call = self
            .call()
            .session(new.id)
            .with("lifetime", length(self.rules.session_lifetime))
            .with("memory", length(MEMORY_OF_THE_ENDED))
            .with("person", BASE64_STANDARD.encode(person))
            .wrong_checks(&new.recipient)
            .with("channel", new.channel.as_str())
            .with("checks", record.checks_left)
            .with("upstream_id", record.upstream_id.as_str())
            .with("deliveries", record.deliveries.as_str());
        let call = self.taken(call, &taken);
        match self.run(&self.scripts.record_sent, call).await? {
            Outcome::Recorded(now) => {
                record.expires_at = now + length(self.rules.session_lifetime);
                Ok(record.seen(new.id, Person::of(new), now))
            }
            _ => Err(unexpected()),
        }
    }

    async fn release_send(&self, recipient: &PhoneNumber, hold: Hold) -> StoreResult<()> {
        let call = self.climbing(self.call(), recipient);
        let call = call.back(&hold, |_| true);
        self.done(&self.scripts.release_send, call).await
    }

    async fn reserve_resend(
        &self,
        session: &Session,
        terms: SendTerms,
        at_once: bool,
    ) -> StoreResult<ResendReservation> {
        let call = self
            .climbing(self.call(), &session.recipient)
            .session(session.id)
            .claims(&terms.claims)
            .with("at_once", at_once);
        let call = self.going(call, &terms.place);
        match self.run(&self.scripts.reserve_resend, call).await? {
            Outcome::Wait(waiting) => Ok(ResendReservation::Wait(self.wait(&waiting, &terms)?)),
            Outcome::Over(over) => Ok(ResendReservation::Over(over)),
            other => Ok(ResendReservation::Reserved(self.held(other, terms)?)),
        }
    }

    async fn record_resent(
        &self,
        session: &Session,
        channel: Channel,
        upstream_id: String,
        hold: &Hold,
    ) -> StoreResult<Result<Session, SessionOver>> {
        let call = self
            .climbing(self.call(), &session.recipient)
            .session(session.id)
            .with("channel", channel.as_str())
            .with("upstream_id", upstream_id);
        let call = self.taken(call, &hold.taken());
        match self.run(&self.scripts.record_resent, call).await? {
            Outcome::Session(kept) => Ok(Ok(self.seen(session.id, kept)?)),
            Outcome::Over(over) => Ok(Err(over)),
            _ => Err(unexpected()),
        }
    }

    async fn reserve_check(
        &self,
        id: SessionId,
        terms: CheckTerms,
    ) -> StoreResult<CheckReservation> {
        // The script finds the number's own key in the session.
        let by_number = !terms.wrong_per_number.is_empty();
        let claims = terms.clone().claims_on("");
        let call = self.call().session(id).claims(&claims);
        let call = call.with("by_number", by_number);
        let on = |claims| SendTerms {
            claims,
            ..SendTerms::default()
        };
        match self.run(&self.scripts.reserve_check, call).await? {
            Outcome::Wait(waiting) => {
                let wait = self.wait(&waiting, &on(claims))?;
                Ok(CheckReservation::Wait(wait))
            }
            Outcome::Over(over) => Ok(CheckReservation::Over(over)),
            Outcome::HeldOf(what, kept) => {
                let session = Box::new(self.seen(id, kept)?);
                let claims = terms.claims_on(session.recipient.as_str());
                let hold = self.hold(what, on(claims))?;
                Ok(CheckReservation::Reserved { hold, session })
            }
            _ => Err(unexpected()),
        }
    }

    async fn settle_check(
        &self,
        id: SessionId,
        accepted: bool,
        hold: Hold,
        place: &Place,
    ) -> StoreResult<Settlement> {
        let call = self
            .going(self.call(), place)
            .session(id)
            .back(&hold, |claim| claim.limit == Limit::WrongChecksPerNumber)
            .with("accepted", accepted);
        match self.run(&self.scripts.settle_check, call).await? {
            Outcome::Verified => Ok(Settlement::Verified),
            Outcome::Incorrect { checks_left } => Ok(Settlement::Incorrect { checks_left }),
            Outcome::Over(over) => Ok(Settlement::Over(over)),
            _ => Err(unexpected()),
        }
    }

    async fn release_check(&self, id: SessionId, hold: Hold) -> StoreResult<()> {
        let call = self.call().session(id).back(&hold, |_| true);
        self.done(&self.scripts.release_check, call).await
    }

    async fn send_wait(&self, recipient: &PhoneNumber, terms: SendTerms) -> StoreResult<Duration> {
        let call = self.call().ladder(recipient).claims(&terms.claims);
        let call = self.going(call, &terms.place);
        match self.run(&self.scripts.send_wait, call).await? {
            Outcome::Wait(waiting) => Ok(Duration::from_millis(waiting.milliseconds)),
            _ => Err(unexpected()),
        }
    }

    async fn use_up(&self, claims: Vec<Claim>) -> StoreResult<Result<(), Wait>> {
        let call = self.call().claims(&claims);
        // As for a send that climbs no ladder and goes nowhere.
        match self.run(&self.scripts.reserve_send, call).await? {
            Outcome::Held(_) => Ok(Ok(())),
            Outcome::Wait(waiting) => {
                let terms = SendTerms {
                    claims,
                    ..SendTerms::default()
                };
                Ok(Err(self.wait(&waiting, &terms)?))
            }
            _ => Err(unexpected()),
        }
    }

    async fn used(&self, claim: Claim) -> StoreResult<Vec<u64>> {
        let call = self.call().claims(&[claim]);
        match self.run(&self.scripts.used, call).await? {
            Outcome::Used(used) => numbers(&used),
            _ => Err(unexpected()),
        }
    }

    async fn note_charges(
        &self,
        session: &Session,
        charges: Charges,
        spend: Option<Claim>,
    ) -> StoreResult<Vec<Charged>> {
        let lives = self.rules.session_lifetime + MEMORY_OF_THE_ENDED;
        let call = self
            .call()
            .session(session.id)
            .charges(&session.upstream_id)
            .claims(spend.as_slice())
            .with("attempts", charges::to_json(&charges))
            .with("validation", charges.validation.0)
            .with("kept_for", length(lives));
        match self.run(&self.scripts.note_charges, call).await? {
            Outcome::Charged { charged: new } => {
                let new = new.into_iter().map(|charge| {
                    Some(Charged {
                        channel: charge.channel,
                        amount: MicroDollars(charge.amount.parse().ok()?),
                    })
                });
                new.collect::<Option<_>>().ok_or_else(unexpected)
            }
            _ => Err(unexpected()),
        }
    }

    async fn session(&self, id: SessionId) -> StoreResult<Result<Session, SessionOver>> {
        let call = self.call().session(id);
        match self.run(&self.scripts.read_session, call).await? {
            Outcome::Session(kept) => Ok(Ok(self.seen(id, kept)?)),
            Outcome::Over(over) => Ok(Err(over)),
            _ => Err(unexpected()),
        }
    }

    async fn spend(&self, name: &str, kept_for: Duration) -> StoreResult<bool> {
        let call = self.call().spent(name).with("kept_for", length(kept_for));
        spent(&self.run(&self.scripts.spend, call).await?).map(|spent| !spent)
    }

    async fn is_spent(&self, name: &str) -> StoreResult<bool> {
        let call = self.call().spent(name);
        spent(&self.run(&self.scripts.spend, call).await?)
    }

    async fn watch(&self, upstream_id: &str, pace: Duration) -> StoreResult<Watched> {
        let call = self.about_upstream(upstream_id).with("pace", length(pace));
        match self.run(&self.scripts.upstream, call).await? {
            Outcome::Watched {
                attempts, is_turn, ..
            } => Ok(Watched {
                attempts: upstream::from_text(&attempts).map_err(|_| unexpected())?,
                is_turn,
            }),
            _ => Err(unexpected()),
        }
    }

    async fn note_attempts(
        &self,
        upstream_id: &str,
        noted: Vec<Noted>,
        ask_again: bool,
    ) -> StoreResult<Vec<Channel>> {
        let call = self
            .about_upstream(upstream_id)
            .with("noted", upstream::to_json(&noted))
            .with("ask_again", ask_again);
        match self.run(&self.scripts.upstream, call).await? {
            Outcome::Watched { arrived, .. } => Ok(arrived
                .split_whitespace()
                .filter_map(Channel::parse)
                .collect()),
            _ => Err(unexpected()),
        }
    }

    async fn begin(&self, request: &KeyedRequest) -> StoreResult<Known> {
        let call = self
            .call()
            .answer(request)
            .with("kept_for", length(request.kept_for))
            .with("under_way", length(UNDER_WAY))
            .with("max_mismatches", MAX_MISMATCHES);
        match self.run(&self.scripts.begin, call).await? {
            Outcome::Done => Ok(Known::New),
            Outcome::UnderWay => Ok(Known::UnderWay),
            Outcome::Lost => Ok(Known::Lost),
            Outcome::Mismatched => Ok(Known::Mismatched),
            Outcome::Blocked => Ok(Known::Blocked),
            Outcome::Answered(sealed) => Ok(BASE64_STANDARD
                .decode(sealed)
                .ok()
                .and_then(|sealed| self.vault.open_answer(request, &sealed))
                .map_or(Known::Mismatched, Known::Answered)),
            _ => Err(unexpected()),
        }
    }

    async fn finish(&self, request: &KeyedRequest, answer: Option<String>) -> StoreResult<()> {
        let call = self
            .call()
            .answer(request)
            .with("kept_for", length(request.kept_for));
        let call = match answer {
            Some(answer) => {
                let sealed = self.vault.seal_answer(request, &answer);
                call.with("sealed", BASE64_STANDARD.encode(sealed))
            }
            None => call,
        };
        self.done(&self.scripts.finish, call).await
    }

    /// Looks at the server as at the start: it can be set otherwise at any time.
    async fn ready(&self) -> StoreResult<()> {
        match self.run(&self.scripts.look, self.look()).await? {
            Outcome::Done | Outcome::Volatile => Ok(()),
            Outcome::MayEvict => {
                log::error!(
                    event = "store.may_evict";
                    "Redis drops keys when its memory is full; set maxmemory-policy noeviction"
                );
                Err(StoreUnreachable)
            }
            _ => Err(unexpected()),
        }
    }

    async fn time(&self) -> StoreResult<SystemTime> {
        match self
            .run(&self.scripts.time, self.call().key_check())
            .await?
        {
            Outcome::Time(now) => Ok(time(now)),
            _ => Err(unexpected()),
        }
    }

    /// What is over goes by itself.
    async fn sweep(&self) -> StoreResult<()> {
        self.ready().await
    }
}
