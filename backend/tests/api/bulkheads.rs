//! Bulkheads: the limit on concurrent requests of one kind at the store. Requests that
//! anybody may repeat at will must not block others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use countersign_core::Key;
use countersign_store::{Commit, CommitOutcome, Snapshot, Store, Unavailable};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::sync::watch;

use crate::app::{Answer, TestApp, until};

/// A store that blocks while it is shut, and counts the requests that wait.
struct Gate {
    store: Arc<dyn Store>,
    is_shut: watch::Sender<bool>,
    waiting: AtomicUsize,
    asked_ready: AtomicUsize,
}

impl Gate {
    async fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut is_shut = self.is_shut.subscribe();
        is_shut.wait_for(|is_shut| !is_shut).await.unwrap();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for Gate {
    async fn load(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        self.pass().await;
        self.store.load(keys).await
    }

    async fn commit(&self, commit: Commit) -> CommitOutcome {
        self.store.commit(commit).await
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        self.asked_ready.fetch_add(1, Ordering::SeqCst);
        self.pass().await;
        self.store.ready().await
    }
}

async fn start() -> (TestApp, Arc<Gate>) {
    let mut gate = None;
    let app = TestApp::start_behind(|store| {
        let made = Arc::new(Gate {
            store,
            is_shut: watch::Sender::new(false),
            waiting: AtomicUsize::new(0),
            asked_ready: AtomicUsize::new(0),
        });
        gate = Some(made.clone());
        made
    });
    (app.await, gate.unwrap())
}

/// Makes a hundred requests at once, and returns how many are at the store together.
/// Those that wait too long for a permit are told to retry.
async fn at_once(gate: &Gate, most: usize, ask: impl AsyncFn() -> Answer) -> usize {
    gate.is_shut.send_replace(true);
    let all = join_all((0..100).map(|_| ask()));
    let look = async {
        until("they are there", || gate.waiting() >= most).await;
        // Long enough for any others to arrive.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let waiting = gate.waiting();
        gate.is_shut.send_replace(false);
        waiting
    };
    let (answers, waiting) = futures_util::join!(all, look);
    assert!(answers.iter().any(|answer| answer.status == 200));
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        let problem = answer.problem(503, "temporarily_unavailable");
        assert_eq!(problem["retry_after"], 1);
    }
    waiting
}

#[actix_web::test]
async fn session_reads_are_limited_at_the_store() {
    let (app, gate) = start().await;
    let session = app.sent("+14155550123").await;
    // Pending periodic writes are committed now, so that they do not wait as well.
    app.app.sweep().await;
    let waiting = at_once(&gate, 64, async || app.session(&session).await).await;
    assert_eq!(waiting, 64);
}

#[actix_web::test]
async fn introspections_are_limited_at_the_store() {
    let (app, gate) = start().await;
    let session = app.sent("+14155550123").await;
    let verified = app.verify(&session, &session.otp).await.ok();
    app.app.sweep().await;
    let form = json!({"token": verified["proof"]});
    let ask = async || {
        let request = app.request(Method::POST, "/api/proofs/introspect");
        app.call(request.form(&form)).await
    };
    assert_eq!(at_once(&gate, 64, ask).await, 64);
}

#[actix_web::test]
async fn concurrent_readiness_checks_are_coalesced() {
    let (app, gate) = start().await;
    let before = gate.asked_ready.load(Ordering::SeqCst);
    at_once(&gate, 1, async || app.get("/readyz").await).await;
    let asked = gate.asked_ready.load(Ordering::SeqCst) - before;
    assert!((1..=2).contains(&asked), "{asked}");
}
