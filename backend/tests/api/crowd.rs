//! An application's server calls for all its users from one address, under the defaults of
//! live mode: each user is counted alone, however many there are.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use plivo_simulator::{Settings, Simulator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{TestApp, one_load_at_a_time},
    applications::{SEND, asked, key, secret},
};

/// Calls under way at once, which share commits of the store.
const AT_ONCE: usize = 16;
/// Users who send before the first of them verifies.
const WAVE: usize = 500;
/// What one user, or one address, may send in ten minutes.
const QUOTA: usize = 5;
/// What each of five greedy ones asks for at once.
const ASKED: usize = 8;

/// Numbers in ranges of ten thousand, of which each gets as many as its limit allows.
fn number(index: usize) -> String {
    const AREAS: [usize; 4] = [206, 303, 415, 617];
    let (range, line) = (index / 20, index % 20);
    let (area, exchange) = (AREAS[range % AREAS.len()], 220 + range / AREAS.len());
    format!("+1{area}{exchange}{line:04}")
}

/// An address of a network of its own.
fn address(index: usize) -> String {
    format!("2001:db8:{index:x}::1")
}

fn send(index: usize, address: &str, id: &str) -> Value {
    json!({"recipient": number(index), "end_user": {"address": address, "id": id}})
}

struct Server {
    app: TestApp,
    simulator: Simulator,
    /// Calls that were begun.
    calls: AtomicUsize,
}

impl Server {
    /// Live, with the defaults; only what bounds the whole service has room.
    async fn start() -> Self {
        let mut settings = Settings::new("MAXXXXXXXXXXXXXXXXXX", "test_auth_token");
        // An account whose limit Plivo has raised.
        settings.requests_per_5s = usize::MAX;
        let simulator = Simulator::start(settings).unwrap();
        let hash = key("default").hash().to_string();
        let settings = [
            ("API_KEY_HASHES", hash.as_str()),
            ("LIMIT_SENDS_TOTAL", "100000/1h"),
            ("LIMIT_SENDS_PER_COUNTRY", "100000/1h"),
            ("LIMIT_REQUESTS_PER_ADDRESS", "120/1m"),
        ];
        let app = TestApp::start_live(&simulator.base_url(), &settings).await;
        Self {
            app,
            simulator,
            calls: AtomicUsize::new(0),
        }
    }

    /// The answers to all these, in their order. A machine that is too busy says 503, and
    /// is asked the same again when it said, as a server does.
    async fn all(&self, path: &str, bodies: impl Iterator<Item = Value>) -> Vec<(u16, Value)> {
        let calls = bodies.map(async |body| {
            let number = self.calls.fetch_add(1, Ordering::Relaxed);
            let key = format!("call-of-the-crowd-{number}");
            loop {
                let request = asked(&self.app, "default", path, &body);
                let answer = self.app.call(request.header("idempotency-key", &key)).await;
                let said = answer.json();
                if answer.status != 503 {
                    return (answer.status, said);
                }
                let wait = said["retry_after"].as_u64().unwrap_or(1);
                tokio::time::sleep(Duration::from_secs(wait)).await;
            }
        });
        stream::iter(calls).buffered(AT_ONCE).collect().await
    }

    /// The code that a number received last.
    fn codes(&self) -> HashMap<String, String> {
        let messages = self.simulator.messages().into_iter();
        messages.map(|it| (it.recipient, it.otp)).collect()
    }

    /// These users send, verify, and have their proofs introspected.
    async fn wave(&self, users: std::ops::Range<usize>) {
        let sends = users
            .clone()
            .map(|index| send(index, &address(index), &format!("user-{index}")));
        let sent = self.all(SEND, sends).await;
        let codes = self.codes();
        let checks = users.zip(&sent).map(|(index, (status, sent))| {
            assert_eq!(*status, 200, "{sent}");
            json!({"session_uuid": sent["session_uuid"], "otp": codes[&number(index)]})
        });
        let verified = self.all("/api/otp/verify", checks).await;
        let known = verified.iter().map(async |(status, verified)| {
            assert_eq!(*status, 200, "{verified}");
            let form = [("token", verified["proof"].as_str().unwrap())];
            let request = self.app.request(Method::POST, "/api/proofs/introspect");
            let request = request.bearer_auth(secret("default")).form(&form);
            // Looking changes nothing, so it may be repeated.
            let answer = self.app.call(request.try_clone().unwrap()).await;
            let answer = match answer.status {
                503 => self.app.call(request).await,
                _ => answer,
            };
            answer.ok()["active"] == true
        });
        let known = stream::iter(known).buffered(AT_ONCE);
        assert!(known.all(async |active| active).await);
    }

    /// Five users from ever new addresses, and ever new users from five addresses, all at
    /// once: each gets what it may, and Plivo hears of no more.
    async fn greedy(&self, first: usize) {
        let before = self.simulator.calls().create;
        let sends = (0..5 * ASKED).flat_map(|index| {
            let (one, next) = (index % 5, first + 2 * index);
            let by_name = send(next, &address(next), &format!("greedy-{one}"));
            let by_address = send(next + 1, &format!("192.0.2.{one}"), &format!("new-{index}"));
            [by_name, by_address]
        });
        let mut refused: HashMap<String, usize> = HashMap::new();
        for (status, answer) in self.all(SEND, sends).await {
            if status != 200 {
                assert_eq!(status, 429, "{answer}");
                *refused
                    .entry(answer["limit"].as_str().unwrap().to_owned())
                    .or_default() += 1;
            }
        }
        let too_many = 5 * (ASKED - QUOTA);
        let per = |limit: &str| (limit.to_owned(), too_many);
        let expected = HashMap::from([per("sends_per_user"), per("numbers_per_address")]);
        assert_eq!(refused, expected);
        let sent = self.simulator.calls().create - before;
        assert_eq!(sent, u64::try_from(2 * 5 * QUOTA).unwrap());
    }
}

async fn crowd(users: usize) {
    let _load = one_load_at_a_time().await;
    let server = Server::start().await;
    let app = &server.app;
    for first in (0..users).step_by(WAVE) {
        server.wave(first..first + WAVE).await;
    }
    server.greedy(users).await;
    // A user's sixth code is refused, though the server has sent thousands; and a stranger
    // at the server's own address has their own five.
    let next = users + 2 * 5 * ASKED;
    let more = (next..next + QUOTA).map(|index| send(index, &address(index), "user-0"));
    let answers = server.all(SEND, more).await;
    let refused = answers.iter().filter(|(status, _)| *status == 429);
    let refused: Vec<_> = refused.map(|(_, answer)| &answer["limit"]).collect();
    assert_eq!(refused, ["sends_per_user"]);
    for index in 0..=QUOTA {
        let answer = app.send(&number(next + 20 + index)).await;
        if index < QUOTA {
            answer.ok();
        } else {
            answer.problem(429, "rate_limited");
        }
    }
}

#[actix_web::test]
async fn a_thousand_users_of_one_server_are_each_counted_alone() {
    crowd(1_000).await;
}

#[actix_web::test]
#[ignore = "30,000 requests take a minute in a debug build"]
async fn ten_thousand_users_of_one_server_are_each_counted_alone() {
    let crowd = tokio::time::timeout(Duration::from_mins(10), crowd(10_000));
    crowd.await.unwrap();
}
