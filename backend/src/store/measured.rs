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
    StoreResult, Wait, Watched, queue::Queue,
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
        step: impl Future<Output = StoreResult<T>> + Send,
    ) -> StoreResult<T> {
        let _under_way = self.queue.enter();
        let started = Instant::now();
        let outcome = step.await;
        self.metrics
            .store_step(name, outcome.is_ok(), started.elapsed());
        outcome
    }
}

/// Each step passes to the store inside, under its own name.
macro_rules! timed {
    ($(fn $step:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl Store for Measured {
            $(async fn $step(&self, $($argument: $kind),*) -> StoreResult<$answer> {
                self.timed(stringify!($step), self.store.$step($($argument),*)).await
            })+
        }
    };
}

timed! {
    fn reserve_send(recipient: &PhoneNumber, terms: SendTerms) -> SendReservation;
    fn record_sent(new: &NewSession, upstream_id: String, hold: &Hold) -> Session;
    fn release_send(recipient: &PhoneNumber, hold: Hold) -> ();
    fn reserve_resend(session: &Session, terms: SendTerms, at_once: bool) -> ResendReservation;
    fn record_resent(
        session: &Session,
        channel: Channel,
        upstream_id: String,
        hold: &Hold
    ) -> Result<Session, SessionOver>;
    fn reserve_check(id: SessionId, terms: CheckTerms) -> CheckReservation;
    fn settle_check(id: SessionId, accepted: bool, hold: Hold, place: &Place) -> Settlement;
    fn release_check(id: SessionId, hold: Hold) -> ();
    fn send_wait(recipient: &PhoneNumber, terms: SendTerms) -> Duration;
    fn use_up(claims: Vec<Claim>) -> Result<(), Wait>;
    fn used(claim: Claim) -> Vec<u64>;
    fn note_charges(session: &Session, charges: Charges, spend: Option<Claim>) -> Vec<Charged>;
    fn session(id: SessionId) -> Result<Session, SessionOver>;
    fn spend(name: &str, kept_for: Duration) -> bool;
    fn is_spent(name: &str) -> bool;
    fn watch(upstream_id: &str, pace: Duration) -> Watched;
    fn note_attempts(upstream_id: &str, noted: Vec<Noted>, ask_again: bool) -> Vec<Channel>;
    fn begin(request: &KeyedRequest) -> Known;
    fn finish(request: &KeyedRequest, answer: Option<String>) -> ();
    fn ready() -> ();
    fn time() -> SystemTime;
    fn sweep() -> ();
}
