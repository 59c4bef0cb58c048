//! A store whose steps are timed and counted while they are under way.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use countersign_shared::{Channel, PhoneNumber, SessionId};

use super::{
    Charged, CheckReservation, CheckTerms, Claim, Hold, KeyedRequest, Known, NewSession, Place,
    ResendReservation, SendReservation, SendTerms, Session, SessionOver, Settlement, Store,
    StoreResult, Watched,
    queue::{Kind, Queue},
};
use crate::{
    attempt::{Charges, Noted},
    metrics::Metrics,
};

/// The store inside, and where its times go.
pub struct Measured {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    queue: Queue,
}

impl Measured {
    /// Times the steps of `store`.
    pub fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            metrics,
            queue: Queue::default(),
        }
    }

    /// Its steps, as they come and go.
    pub fn queue(&self) -> Queue {
        self.queue.clone()
    }

    async fn timed<T>(
        &self,
        name: &'static str,
        kind: Option<Kind>,
        step: impl Future<Output = StoreResult<T>> + Send,
    ) -> StoreResult<T> {
        let _under_way = kind.map(|kind| self.queue.enter(kind));
        let started = Instant::now();
        let outcome = step.await;
        self.metrics
            .store_step(name, outcome.is_ok(), started.elapsed());
        outcome
    }
}

/// Each step passes to the store inside, under its own name; those of a kind that
/// queues are counted in its queue.
macro_rules! timed {
    ($($queue:expr => fn $step:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl Store for Measured {
            $(async fn $step(&self, $($argument: $kind),*) -> StoreResult<$answer> {
                let step = self.store.$step($($argument),*);
                self.timed(stringify!($step), $queue, step).await
            })+
        }
    };
}

const SEND: Option<Kind> = Some(Kind::Send);
const CHECK: Option<Kind> = Some(Kind::Check);
const NONE: Option<Kind> = None;

timed! {
    SEND => fn reserve_send(recipient: &PhoneNumber, terms: SendTerms) -> SendReservation;
    SEND => fn record_sent(new: &NewSession, upstream_id: String, hold: &Hold) -> Session;
    SEND => fn release_send(recipient: &PhoneNumber, hold: Hold) -> ();
    SEND => fn reserve_resend(session: &Session, terms: SendTerms, at_once: bool) -> ResendReservation;
    SEND => fn record_resent(
        session: &Session,
        channel: Channel,
        upstream_id: String,
        hold: &Hold
    ) -> Result<Session, SessionOver>;
    CHECK => fn reserve_check(id: SessionId, terms: CheckTerms) -> CheckReservation;
    CHECK => fn settle_check(id: SessionId, accepted: bool, hold: Hold, place: &Place) -> Settlement;
    CHECK => fn release_check(id: SessionId, hold: Hold) -> ();
    NONE => fn send_wait(recipient: &PhoneNumber, terms: SendTerms) -> Duration;
    NONE => fn used(claim: Claim) -> Vec<u64>;
    NONE => fn note_charges(session: &Session, charges: Charges, spend: Option<Claim>) -> Vec<Charged>;
    NONE => fn session(id: SessionId) -> Result<Session, SessionOver>;
    NONE => fn spend(name: &str, kept_for: Duration) -> bool;
    NONE => fn is_spent(name: &str) -> bool;
    NONE => fn watch(upstream_id: &str, pace: Duration) -> Watched;
    NONE => fn note_attempts(upstream_id: &str, noted: Vec<Noted>, ask_again: bool) -> Vec<Channel>;
    NONE => fn begin(request: &KeyedRequest) -> Known;
    NONE => fn finish(request: &KeyedRequest, answer: Option<String>) -> ();
    NONE => fn ready() -> ();
    NONE => fn time() -> SystemTime;
    NONE => fn sweep() -> ();
}
