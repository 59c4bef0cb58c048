//! Runs a committer on tokio.

use std::{sync::Arc, time::Instant};

use countersign_core::Key;
use tokio::sync::{broadcast, mpsc, watch};

use crate::{
    committer::{Command, Committer, Event},
    handle::Observer,
    store::{Commit, CommitOutcome, Store},
};

type UnderWay = std::pin::Pin<Box<dyn Future<Output = Event> + Send>>;

pub(crate) struct Driver {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) committed: broadcast::Sender<Arc<[Key]>>,
    pub(crate) observer: Arc<dyn Observer>,
    /// Dropped last, once the store is closed.
    pub(crate) _end: watch::Sender<()>,
}

impl Driver {
    /// Runs until all handles are dropped and every member is answered.
    pub(crate) async fn run(self, mut submitted: mpsc::Receiver<Event>) {
        let mut id = [0; 8];
        getrandom::fill(&mut id).expect("the operating system gives random bytes");
        let mut committer = Committer::new(id, Instant::now());
        let mut under_way: Option<UnderWay> = None;
        let mut wake_at: Option<Instant> = None;
        let mut is_open = true;
        while is_open || !committer.is_empty() {
            let event = tokio::select! {
                biased;
                event = future_of(&mut under_way) => {
                    under_way = None;
                    event
                }
                () = sleep_until(wake_at) => {
                    wake_at = None;
                    Event::Woken
                }
                event = submitted.recv(), if is_open => {
                    let Some(event) = event else {
                        is_open = false;
                        continue;
                    };
                    event
                }
            };
            let mut commands = Vec::new();
            // Transitions submitted meanwhile join the next group.
            while !matches!(event, Event::Submitted { .. })
                && let Ok(event) = submitted.try_recv()
            {
                commands.extend(committer.handle(event, Instant::now()));
            }
            commands.extend(committer.handle(event, Instant::now()));
            for command in commands {
                match command {
                    Command::Answer(member, result) => member.answer(result),
                    Command::WakeAt(moment) => wake_at = Some(moment),
                    Command::Load(keys) => under_way = Some(self.load(keys)),
                    Command::Commit { commit, members } => {
                        under_way = Some(self.commit(commit, members));
                    }
                }
            }
        }
    }

    fn load(&self, keys: Vec<Key>) -> UnderWay {
        let store = self.store.clone();
        Box::pin(async move { Event::Loaded(store.load_to_commit(&keys).await) })
    }

    fn commit(&self, commit: Commit, members: usize) -> UnderWay {
        let Self {
            store,
            committed,
            observer,
            ..
        } = self;
        let (store, committed, observer) = (store.clone(), committed.clone(), observer.clone());
        Box::pin(async move {
            let written: Arc<[Key]> = commit.write.keys().cloned().collect();
            let started = Instant::now();
            let outcome = store.commit(commit).await;
            observer.commit(members, &outcome, started.elapsed());
            if outcome == CommitOutcome::Done {
                // There may be no subscriber.
                committed.send(written).ok();
            }
            Event::Committed(outcome)
        })
    }
}

async fn future_of(under_way: &mut Option<UnderWay>) -> Event {
    match under_way {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
