//! Two releases of the program over one Redis, as during an upgrade.
//!
//! One is the program itself. The other runs in the test's own process, with rows encoded
//! as a later release would write them.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_backend::{
    app::{App, open_store},
    config::Config,
    proof::{ProofAlgorithm, rotate},
};
use countersign_core::{Key, Write};
use countersign_store::{Commit, CommitOutcome, Snapshot, Store, Unavailable};
use countersign_test_support::{Running, SECRET_KEY, http, lines, of};
use plivo_simulator::{Settings, Simulator};
use redis_test_server::RedisServer;
use serde_json::{Value, json};

use super::{Program, hostile_settings};

/// How a later release encodes a row.
type Encode = fn(&Key, Vec<u8>) -> Vec<u8>;

/// The next release: it adds a member to each row, which the previous release ignores.
fn next(_: &Key, row: Vec<u8>) -> Vec<u8> {
    match row.as_slice() {
        [version, b'{', b'}'] => [&[*version], &br#"{"of_tomorrow":[1]}"#[..]].concat(),
        [version, b'{', members @ ..] => {
            [&[*version], &br#"{"of_tomorrow":[1],"#[..], members].concat()
        }
        // A list has no members.
        _ => row,
    }
}

/// The release after that: it writes sessions with a new version.
fn next_but_one(key: &Key, mut row: Vec<u8>) -> Vec<u8> {
    if key.as_str().starts_with("session/") {
        row[0] += 1;
    }
    row
}

/// Encodes rows as that release does; it also reads those of the release before.
struct Later {
    store: Arc<dyn Store>,
    encode: Encode,
}

impl Later {
    fn read(mut snapshot: Snapshot) -> Snapshot {
        for row in snapshot.rows.values_mut().flatten() {
            row.value[0] = 1;
        }
        snapshot
    }
}

#[async_trait]
impl Store for Later {
    async fn load(&self, keys: &[Key]) -> Result<Snapshot, Unavailable> {
        Ok(Self::read(self.store.load(keys).await?))
    }

    async fn commit(&self, mut commit: Commit) -> CommitOutcome {
        for (key, write) in &mut commit.write {
            if let Write::Put(row) = write {
                row.value = (self.encode)(key, std::mem::take(&mut row.value));
            }
        }
        match self.store.commit(commit).await {
            CommitOutcome::Conflict(snapshot) => CommitOutcome::Conflict(Self::read(snapshot)),
            outcome => outcome,
        }
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        self.store.ready().await
    }
}

/// The environment that both releases share.
struct Upgrade {
    redis: RedisServer,
    plivo: Simulator,
    program: Program,
}

impl Upgrade {
    fn new(name: &str) -> Self {
        let upgrade = Self {
            redis: RedisServer::start(),
            plivo: Simulator::start(Settings::new("MAXXXXXXXXXXXXXXXXXX", "test_auth_token"))
                .unwrap(),
            program: Program::new(name),
        };
        rotate(
            &upgrade.keys_file(),
            ProofAlgorithm::default(),
            std::time::SystemTime::now(),
        )
        .unwrap();
        upgrade
    }

    fn keys_file(&self) -> std::path::PathBuf {
        self.program.directory.join("proof-keys.json")
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let base_url = self.plivo.base_url();
        let mut settings: Vec<(&str, String)> = hostile_settings(&base_url)
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        settings.extend([
            ("LIMIT_SENDS_TOTAL", "1000/1h".to_owned()),
            ("RESEND_WAITS", "1s".to_owned()),
            ("STORE_URL", self.redis.url()),
            ("SECRET_KEY", SECRET_KEY.to_owned()),
            ("PROOF_ISSUER", "https://verify.example.com".to_owned()),
            (
                "PROOF_SIGNING_KEYS_FILE",
                self.keys_file().display().to_string(),
            ),
        ]);
        settings
    }

    /// Starts the program.
    fn start(&self) -> Running {
        let settings = self.settings();
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.program.start(&settings)
    }

    /// Starts the later release.
    async fn later(&self, encode: Encode) -> App {
        let settings = self.settings();
        let config = Config::read(|name| {
            let fixed = match name {
                "LISTEN_ADDR" => Some("127.0.0.1:0"),
                "METRICS_ADDR" => Some("off"),
                _ => None,
            };
            let mut settings = settings.iter().rev();
            let given = settings.find(|(set, _)| *set == name);
            fixed
                .or(given.map(|(_, value)| value.as_str()))
                .map(str::to_owned)
        });
        let config = config.unwrap();
        let store = open_store(&config, None).await.unwrap();
        App::start_over(config, Arc::new(Later { store, encode }))
            .await
            .unwrap()
    }

    fn otp(&self, recipient: &str) -> String {
        let messages = self.plivo.messages();
        let mut messages = messages.iter();
        messages
            .find(|it| it.recipient == recipient)
            .unwrap()
            .otp
            .clone()
    }
}

async fn post(address: &str, path: &str, body: &Value, key: &str) -> (u16, Value) {
    let request = http()
        .post(format!("http://{address}/api/otp/{path}"))
        .json(body);
    let answer = request.header("idempotency-key", key).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_and_the_next_serve_each_others_sessions() {
    let upgrade = Upgrade::new("upgrade");
    let running = upgrade.start();
    let later = upgrade.later(next).await;
    let (now, next) = (running.address.clone(), later.address().to_string());
    for (recipient, begins, goes_on) in
        [("+14155550123", &now, &next), ("+14155550124", &next, &now)]
    {
        let number = json!({"recipient": recipient});
        let key = format!("key-of-a-send-to-{recipient}");
        let (status, sent) = post(begins, "send", &number, &key).await;
        assert_eq!(status, 200, "{sent}");
        // The other release finds the answer, continues the count, and verifies.
        assert_eq!(
            post(goes_on, "send", &number, &key).await,
            (200, sent.clone())
        );
        let session = &sent["session_uuid"];
        let wrong = json!({"session_uuid": session, "otp": "000000"});
        for (address, left) in [(goes_on, 4), (begins, 3)] {
            let key = format!("key-of-a-check-{left}-of-{recipient}");
            let (_, answer) = post(address, "verify", &wrong, &key).await;
            assert_eq!(answer["checks_left"], left, "{answer}");
        }
        let right = json!({"session_uuid": session, "otp": upgrade.otp(recipient)});
        let key = format!("key-of-the-right-check-of-{recipient}");
        let (status, verified) = post(goes_on, "verify", &right, &key).await;
        assert_eq!(status, 200, "{verified}");
        assert_eq!(post(begins, "verify", &right, &key).await, (200, verified));
    }
    later.stop().await;
    let (_, log) = running.terminate();
    assert!(!log.contains("store.row_unreadable"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_releases_row_is_a_503_for_its_caller_and_one_log_line() {
    let upgrade = Upgrade::new("downgrade");
    let running = upgrade.start();
    let later = upgrade.later(next_but_one).await;
    let (now, later_address) = (running.address.clone(), later.address().to_string());
    let send = |recipient: &str| json!({"recipient": recipient});
    let check = |sent: &Value, recipient: &str| json!({"session_uuid": sent["session_uuid"], "otp": upgrade.otp(recipient)});
    let (newer, older) = ("+14155550123", "+14155550124");
    let key = "key-of-a-request-of-an-upgrade";
    let (_, theirs) = post(&later_address, "send", &send(newer), key).await;
    let (_, ours) = post(&now, "send", &send(older), "key-of-another-request").await;
    let (status, refused) = post(&now, "verify", &check(&theirs, newer), key).await;
    assert_eq!(
        (status, &refused["code"]),
        (503, &json!("temporarily_unavailable"))
    );
    // No other request is affected, and nothing was used up.
    let (status, verified) = post(&now, "verify", &check(&ours, older), key).await;
    assert_eq!(status, 200, "{verified}");
    let (status, verified) = post(&later_address, "verify", &check(&theirs, newer), key).await;
    assert_eq!(status, 200, "{verified}");
    later.stop().await;
    let (_, log) = running.terminate();
    let lines = lines(&log);
    let unreadable = of(&lines, "store.row_unreadable");
    assert_eq!(unreadable.len(), 1, "{log}");
    assert_eq!(unreadable[0]["step"], "ReserveCheck");
    assert_eq!(upgrade.plivo.calls().validate, 2);
}
