//! Adoption: a send that Plivo answered with an error, but whose message arrived.

use countersign_test_support::{SECRET_KEY, http, lines, of};
use plivo_simulator::{Settings, Simulator, signature};
use redis_test_server::RedisServer;
use serde_json::{Value, json};

use super::{Program, hostile_settings};

/// A number whose creates the simulator fails; the test makes its callbacks.
const FAILING: &str = "+14155550196";
const PUBLIC_URL: &str = "https://verify.example.com";
const UPSTREAM_ID: &str = "8e712097-8090-4644-81e7-8f4265d8354e";

/// Sends, receives an error, calls back as Plivo does, and repeats the send under its
/// key.
async fn adopted(settings: &[(&str, &str)], name: &str) {
    let account = ("MAXXXXXXXXXXXXXXXXXX", "test_auth_token");
    let simulator = Simulator::start(Settings::new(account.0, account.1)).unwrap();
    let base_url = simulator.base_url();
    let mut all = hostile_settings(&base_url);
    all.push(("PUBLIC_URL", PUBLIC_URL));
    all.extend(settings);
    let program = Program::new(name);
    let running = program.start(&all);
    let http = http();
    let url = |path: &str| format!("http://{}{path}", running.address);
    let send = async || {
        let request = http.post(url("/api/otp/send"));
        let request = request.header("idempotency-key", "key-of-the-send-that-failed");
        let request = request.json(&json!({"recipient": FAILING}));
        request.send().await.unwrap()
    };
    let failed = send().await;
    assert_eq!(failed.status(), 502);
    let request_id = failed.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();

    let create = simulator.received().remove(0);
    let create: Value = serde_json::from_str(&create.body).unwrap();
    let callback = create["url"].as_str().unwrap();
    for (nonce, status) in [("1", "sent"), ("2", "delivered")] {
        let form = [
            ("SessionUUID", UPSTREAM_ID),
            ("SessionStatus", "in-progress"),
            ("AttemptSequence", "1"),
            ("Channel", "sms"),
            ("ChannelStatus", status),
            ("ChannelErrorCode", ""),
            ("Recipient", &FAILING[1..]),
        ];
        let signed = signature::v2(account.1, callback, nonce);
        let request = http.post(callback.replace(PUBLIC_URL, &url("")));
        let request = request.header("x-plivo-signature-v2", signed);
        let request = request.header("x-plivo-signature-v2-nonce", nonce);
        let answer = request.form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(send().await.status(), 200);

    drop(http);
    let (_, log) = running.terminate();
    let lines = lines(&log);
    assert_eq!(of(&lines, "otp.adopted").len(), 1, "{log}");
    let changes = of(&lines, "delivery.changed");
    assert_eq!(changes.len(), 2, "{log}");
    for change in changes {
        assert_eq!(change["send_request_id"], request_id.as_str(), "{change}");
        assert_eq!(change["upstream_id"], UPSTREAM_ID);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_the_request_behind_a_send_that_was_adopted() {
    adopted(&[], "adopted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_the_request_behind_a_send_that_was_adopted_over_redis() {
    let redis = RedisServer::start();
    let url = redis.url();
    let keys = [("SECRET_KEY", SECRET_KEY), ("STORE_URL", url.as_str())];
    let program = Program::new("adopted-keys");
    let file = program.directory.join("proof-keys.json");
    let now = std::time::SystemTime::now();
    countersign_backend::proof::rotate(
        &file,
        countersign_backend::proof::ProofAlgorithm::default(),
        now,
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let settings = [&keys[..], &[("PROOF_SIGNING_KEYS_FILE", file)]].concat();
    adopted(&settings, "adopted-redis").await;
}
