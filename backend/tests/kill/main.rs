//! `kill -9` before and after every commit to the store: nothing that may have left is
//! released, nothing succeeds twice, and an idempotency key finds its answer.
//!
//! The test runs itself as a child process, which serves the API over a store that kills
//! the process at the given commit.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod afterwards;
mod dying;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use countersign_backend::{
    app::App,
    config::Config,
    proof::{ProofAlgorithm, rotate},
};
use countersign_platform::clock::{Clock, SystemClock};
use countersign_test_support::SECRET_KEY;
use plivo_simulator::{Settings, Simulator};
use redis_test_server::RedisServer;
use reqwest::Client;
use serde_json::{Value, json};

use afterwards::holds_afterwards;
use dying::{live_and_die, start, watch};

const NUMBER: &str = "+14155552671";
const KEY: &str = "5f0c9a52-0f6c-4d6e-9f6f-0f1b2c3d4e5f";
/// Set in the child process: its instructions.
const TOLD: &str = "KILL_TEST";
/// Marks the child's own lines, because its test runner prints too.
const SAYS: &str = "> ";

/// The request that is in progress when the process is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scene {
    Send,
    KeyedSend,
    Resend,
    WrongCheck,
    RightCheck,
    KeyedCheck,
}

impl Scene {
    const ALL: [Self; 6] = [
        Self::Send,
        Self::KeyedSend,
        Self::Resend,
        Self::WrongCheck,
        Self::RightCheck,
        Self::KeyedCheck,
    ];

    /// Whether it needs a code that was sent before.
    fn has_session(self) -> bool {
        !matches!(self, Self::Send | Self::KeyedSend)
    }
}

/// When the process is killed: at which commit, and whether before or after it.
#[derive(Clone, Copy, Debug)]
struct Death {
    commit: usize,
    after: bool,
}

/// The system clock with an adjustable offset.
struct Later(SystemClock, AtomicUsize);

impl Later {
    fn by(seconds: usize) -> Arc<Self> {
        Arc::new(Self(SystemClock::default(), AtomicUsize::new(seconds)))
    }
}

impl Clock for Later {
    fn now(&self) -> SystemTime {
        let seconds = self.1.load(Ordering::SeqCst);
        self.0.now() + Duration::from_secs(seconds as u64)
    }
}

/// Long enough for a resend, in seconds.
const LATER: usize = 45;

/// The settings of both processes, the killed one and its successor.
fn settings(store_url: &str, base_url: &str, keys_file: &str) -> Config {
    let plivo = Settings::default();
    Config::read(|name| {
        let value = match name {
            "LISTEN_ADDR" => "127.0.0.1:0",
            "PLIVO_MODE" => "live",
            "PLIVO_AUTH_ID" => &plivo.auth_id,
            "PLIVO_AUTH_TOKEN" => &plivo.auth_token,
            "PLIVO_BASE_URL" => base_url,
            "ALLOWED_COUNTRIES" => "*",
            "STORE_URL" => store_url,
            "SECRET_KEY" => SECRET_KEY,
            "PROOF_SIGNING_KEYS_FILE" => keys_file,
            "PROOF_ISSUER" => "https://verify.example.com",
            "METRICS_ADDR" | "SPEND_CAP" | "LIMIT_CHECKS_PER_ADDRESS" => "off",
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap()
}

/// A caller of one service.
struct Caller {
    http: Client,
    address: String,
}

impl Caller {
    fn of(app: &App) -> Self {
        Self {
            http: Client::builder().no_proxy().build().unwrap(),
            address: app.address().to_string(),
        }
    }

    async fn post(&self, path: &str, body: Value, is_keyed: bool) -> (u16, Value) {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.http.post(url).json(&body);
        if is_keyed {
            request = request.header("idempotency-key", KEY);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn act(&self, scene: Scene, session: &str, otp: &str) -> (u16, Value) {
        let is_keyed = matches!(scene, Scene::KeyedSend | Scene::KeyedCheck);
        let (path, body) = match scene {
            Scene::Send | Scene::KeyedSend => ("/api/otp/send", json!({"recipient": NUMBER})),
            Scene::Resend => ("/api/otp/resend", json!({"session_uuid": session})),
            Scene::WrongCheck | Scene::RightCheck | Scene::KeyedCheck => {
                let body = json!({"session_uuid": session, "otp": otp});
                ("/api/otp/verify", body)
            }
        };
        self.post(path, body, is_keyed).await
    }
}

/// A wrong code, which differs in the last digit.
fn wrong(otp: &str) -> String {
    let last = otp.as_bytes()[otp.len() - 1] - b'0';
    format!("{}{}", &otp[..otp.len() - 1], (last + 1) % 10)
}

/// The location of the state, a new one for each death.
enum Home {
    File(tempfile::TempDir),
    /// A server, and the directory of the keys that sign proofs.
    Redis(RedisServer, tempfile::TempDir),
}

impl Home {
    fn url(&self) -> String {
        match self {
            Self::File(directory) => {
                format!("sqlite:{}/countersign.db", directory.path().display())
            }
            Self::Redis(server, _) => server.url(),
        }
    }

    fn keys_file(&self) -> String {
        let (Self::File(directory) | Self::Redis(_, directory)) = self;
        let path = directory.path().join("proof-keys.json");
        if !path.exists() {
            rotate(&path, ProofAlgorithm::default(), SystemTime::now()).unwrap();
        }
        path.display().to_string()
    }
}

/// Kills a process at every possible point, and checks the state each time.
async fn kill_at_every_commit(test: &str, home: impl Fn() -> Home) {
    let mut deaths = 0;
    for scene in Scene::ALL {
        for commit in 1.. {
            let mut alive = false;
            for after in [false, true] {
                let (home, death) = (home(), Death { commit, after });
                let simulator = Simulator::start(Settings::default()).unwrap();
                let child = start(test, scene, death, &home, &simulator.base_url());
                let left = watch(child, scene, &simulator);
                alive |= !left.killed;
                deaths += usize::from(left.killed);
                let config = settings(&home.url(), &simulator.base_url(), &home.keys_file());
                let app = App::start_at(config, Later::by(LATER)).await.unwrap();
                holds_afterwards(scene, death, &left, &Caller::of(&app), &simulator).await;
                app.stop().await;
            }
            if alive {
                break;
            }
        }
    }
    // Two commits in each scene, except that a wrong code settles without a write; before
    // and after each.
    assert_eq!(deaths, 22);
}

/// Runs as the child process if told to; otherwise as the parent.
async fn run_as_child_or_parent(test: &str, home: impl Fn() -> Home) {
    match std::env::var(TOLD) {
        Ok(told) => live_and_die(&told).await,
        Err(_) => kill_at_every_commit(test, home).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_file() {
    let home = || Home::File(tempfile::tempdir().unwrap());
    run_as_child_or_parent("over_a_file", home).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_redis() {
    let home = || Home::Redis(RedisServer::start(), tempfile::tempdir().unwrap());
    run_as_child_or_parent("over_redis", home).await;
}
