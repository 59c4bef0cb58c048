//! `countersign --move-store`: sessions begun over one store continue over another.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::Path,
    process::{Command, Output},
};

use countersign_backend::{
    app::App,
    config::Config,
    proof::{ProofAlgorithm, rotate},
};
use countersign_test_support::SECRET_KEY;
use redis_test_server::RedisServer;
use reqwest::Client;
use serde_json::{Value, json};

/// A service in sandbox mode over that store.
async fn start(store_url: &str, directory: &Path) -> App {
    let keys = directory.join("proof-keys.json").display().to_string();
    let config = Config::read(|name| {
        let value = match name {
            "LISTEN_ADDR" => "127.0.0.1:0",
            "METRICS_ADDR" => "off",
            "PLIVO_MODE" => "sandbox",
            "STORE_URL" => store_url,
            "SECRET_KEY" => SECRET_KEY,
            "PROOF_ISSUER" => "https://verify.example.com",
            "PROOF_SIGNING_KEYS_FILE" => &keys,
            _ => return None,
        };
        Some(value.to_owned())
    });
    App::start(config.unwrap()).await.unwrap()
}

async fn post(app: &App, path: &str, body: Value) -> (u16, Value) {
    let http = Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}{path}", app.address());
    let answer = http.post(url).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn carry(directory: &Path, from: &str, to: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .env_clear()
        .env("SECRET_KEY", SECRET_KEY)
        .args(["--move-store", from, to])
        .current_dir(directory)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_counts_continue_in_redis() {
    let directory = tempfile::tempdir().unwrap();
    rotate(
        &directory.path().join("proof-keys.json"),
        ProofAlgorithm::default(),
        std::time::SystemTime::now(),
    )
    .unwrap();
    let file = format!("sqlite:{}/countersign.db", directory.path().display());
    let redis = RedisServer::start();
    let number = json!({"recipient": "+14155550123"});

    let before = start(&file, directory.path()).await;
    let (_, sent) = post(&before, "/api/otp/send", number.clone()).await;
    let check = json!({"session_uuid": sent["session_uuid"], "otp": "000000"});
    let (_, wrong) = post(&before, "/api/otp/verify", check.clone()).await;
    assert_eq!(wrong["checks_left"], 4, "{wrong}");
    before.stop().await;

    let carried = carry(directory.path(), &file, &redis.url());
    let said = String::from_utf8(carried.stdout).unwrap();
    assert!(
        carried.status.success() && said.contains(" rows moved"),
        "{said}"
    );

    let after = start(&redis.url(), directory.path()).await;
    let (status, refused) = post(&after, "/api/otp/send", number).await;
    assert_eq!(status, 429, "the resend backoff goes on: {refused}");
    let url = format!(
        "http://{}/api/otp/sessions/{}",
        after.address(),
        sent["session_uuid"].as_str().unwrap()
    );
    let http = Client::builder().no_proxy().build().unwrap();
    let seen: Value = http.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&seen["status"], &seen["checks_left"]),
        (&json!("pending"), &json!(4))
    );
    after.stop().await;

    // Existing rows are never mixed with moved ones.
    let again = carry(directory.path(), &file, &redis.url());
    let line = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(1));
    let last = line.lines().last().unwrap();
    assert!(last.contains("empty it first"), "{line}");
}

/// A mistyped name must not pass for a store without rows.
#[test]
fn a_move_from_a_file_that_does_not_exist_creates_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let refused = carry(
        directory.path(),
        "sqlite:data/mistyped.db",
        "sqlite:there.db",
    );
    let line = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{line}");
    assert!(
        line.contains("data/mistyped.db") && line.lines().count() == 1,
        "{line}"
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_move_that_fails_is_one_line_and_shows_no_key() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("here.db"), "").unwrap();
    for (from, to) in [
        ("nowhere", "sqlite:there.db"),
        ("sqlite:here.db", "mysql://there"),
        ("redis://me:sesame@127.0.0.1:1", "sqlite:there.db"),
    ] {
        let refused = carry(directory.path(), from, to);
        let line = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{line}");
        assert!(
            line.contains("STORE_URL: ") && line.lines().count() == 1,
            "{line}"
        );
        assert!(
            !line.contains("sesame") && !line.contains(SECRET_KEY),
            "{line}"
        );
    }
}
