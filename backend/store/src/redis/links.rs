//! The two links to the server, and the check that keeps them on the primary.
//!
//! Commits have a link of their own, because `WAIT` blocks what comes after it on a
//! connection. Nothing but a write shows that a server is no longer the primary: an open
//! connection survives its demotion, and a replica goes on answering reads. So both links
//! are checked with a write, and reads connect again whenever commits do.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{RedisResult, Value};

use super::{
    Address,
    fitness::{Fitness, Fits},
    link::{Call, CallError, Link, Reply},
};
use crate::health::Health;

/// How long a failover, a new replica or a changed setting may go unnoticed while nothing
/// is written. A check costs the server two writes of one small row.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Links {
    commits: Link,
    reads: Link,
    outage: Health,
    /// Not part of `outage`: other commits work while no replica confirms.
    confirmation: Health,
    had_replicas: AtomicBool,
}

impl Links {
    /// Does not connect yet.
    pub(super) fn new(address: &Address, fitness: &Arc<Fitness>) -> RedisResult<Self> {
        let reads = Link::new(address, fitness.clone())?;
        Ok(Self {
            commits: Link::new(address, fitness.clone())?.followed_by(&reads),
            reads,
            outage: Health::default(),
            confirmation: Health::default(),
            had_replicas: AtomicBool::default(),
        })
    }

    /// Connects, and checks that the server is fit.
    pub(super) async fn open(&self) -> Result<Fits, CallError> {
        let fits = self.commits.check().await?;
        self.reads.check().await?;
        self.note_replicas(fits);
        Ok(fits)
    }

    /// The same later: the server and its settings can change at any time. Only this ends an
    /// outage in the log.
    pub(super) async fn check(&self) -> Result<(), CallError> {
        let checked = self.open().await;
        match &checked {
            Ok(_) => self.outage.works(),
            Err(error) => self.outage.fails(error),
        }
        checked.map(drop)
    }

    /// Checks at every interval, until the links are dropped.
    pub(super) async fn keep_checking(links: Weak<Self>) {
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let Some(links) = links.upgrade() else {
                return;
            };
            // A failure is noted.
            links.check().await.ok();
        }
    }

    /// Runs a commit. A success does not end an outage: it may have begun before.
    pub(super) async fn commit(&self, call: &Call<'_>) -> Result<Reply, CallError> {
        let replied = self.commits.call(call).await;
        match &replied {
            Ok(_) => {}
            Err(error @ CallError::NotReplicated) => self.confirmation.fails(error),
            Err(error) => self.outage.fails(error),
        }
        replied
    }

    /// A replica has confirmed a write.
    pub(super) fn confirmed(&self) {
        self.confirmation.works();
    }

    /// Calls a read-only script.
    pub(super) async fn read(&self, call: &Call<'_>) -> Result<Value, CallError> {
        let replied = self.reads.call(call).await;
        if let Err(error) = &replied {
            self.outage.fails(error);
        }
        replied.map(|reply| reply.value)
    }

    fn note_replicas(&self, fits: Fits) {
        let had_replicas = self.had_replicas.swap(fits.has_replicas, Ordering::Relaxed);
        if fits.has_replicas {
            return;
        }
        // There is nothing to wait for any more.
        self.confirmation.works();
        if had_replicas {
            log::warn!(
                event = "store.unreplicated";
                "Redis has no replica any more: if it is lost, so are verifications"
            );
        }
    }
}
