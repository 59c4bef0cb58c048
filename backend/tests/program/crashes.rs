//! Crashes in the middle of a request, a full disk, and Redis over TLS.

use std::process::Command;

use countersign_test_support::{Running, SECRET_KEY, http, of};
use serde_json::{Value, json};

use super::Program;

/// Settings for the program against the test's own simulator, which outlives it.
fn live(simulator: &plivo_simulator::Simulator) -> Vec<(&'static str, String)> {
    let settings = plivo_simulator::Settings::default();
    [
        ("PLIVO_MODE", "live".to_owned()),
        ("PLIVO_AUTH_ID", settings.auth_id),
        ("PLIVO_AUTH_TOKEN", settings.auth_token),
        ("PLIVO_BASE_URL", simulator.base_url()),
        ("ALLOWED_COUNTRIES", "*".to_owned()),
        ("SPEND_CAP", "off".to_owned()),
    ]
    .to_vec()
}

#[tokio::test]
async fn state_survives_kill_9() {
    let simulator =
        plivo_simulator::Simulator::start(plivo_simulator::Settings::default()).unwrap();
    let program = Program::new("kill");
    let settings = live(&simulator);
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let http = http();
    // Each call is made to a new process, which is then killed.
    let post = async |path: &str, body: Value| -> (u16, Value) {
        let running = program.start(&settings);
        let url = format!("http://{}{path}", running.address);
        let answer = http.post(url).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        let answer = answer.json().await.unwrap();
        drop(running);
        (status, answer)
    };
    let recipient = json!({"recipient": "+14155552671"});
    let (status, sent) = post("/api/otp/send", recipient.clone()).await;
    assert_eq!(status, 200, "{sent}");
    let otp = simulator.messages()[0].otp.clone();
    let wrong = if otp == "975310" { "975311" } else { "975310" };
    let check = |otp: &str| json!({"session_uuid": sent["session_uuid"], "otp": otp});
    for left in [4, 3] {
        let (status, answer) = post("/api/otp/verify", check(wrong)).await;
        assert_eq!((status, &answer["checks_left"]), (400, &json!(left)));
    }
    assert_eq!(post("/api/otp/verify", check(&otp)).await.0, 200);
    let (status, answer) = post("/api/otp/verify", check(&otp)).await;
    assert_eq!(
        (status, &answer["code"]),
        (409, &json!("session_already_verified"))
    );
    let (status, answer) = post("/api/otp/send", recipient).await;
    assert_eq!((status, &answer["code"]), (429, &json!("rate_limited")));
    assert_eq!(simulator.calls().create, 1);
    assert_eq!(simulator.calls().validate, 3);
}

#[tokio::test]
async fn kill_9_during_a_call_to_plivo_leaves_the_send_counted() {
    // Accepts requests and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", silent.local_addr().unwrap());
    let program = Program::new("kill-half-way");
    let settings = [
        ("PLIVO_MODE", "live"),
        ("PLIVO_AUTH_ID", "MAXXXXXXXXXXXXXXXXXX"),
        ("PLIVO_AUTH_TOKEN", "test_auth_token"),
        ("PLIVO_BASE_URL", base_url.as_str()),
        ("ALLOWED_COUNTRIES", "*"),
        ("SPEND_CAP", "off"),
    ];
    let http = http();
    let body = json!({"recipient": "+14155552671"});
    let running = program.start(&settings);
    let request = http
        .post(format!("http://{}/api/otp/send", running.address))
        .json(&body)
        .send();
    let asked = async {
        let (socket, _) = silent.accept().await.unwrap();
        socket.readable().await.unwrap();
        socket
    };
    tokio::select! {
        answer = request => panic!("answered: {answer:?}"),
        _socket = asked => {}
    }
    drop(running);
    let running = program.start(&settings);
    let answer = http
        .post(format!("http://{}/api/otp/send", running.address))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 429);
}

#[tokio::test]
async fn redis_over_tls_requires_a_trusted_certificate() {
    let program = Program::new("tls");
    let server = redis_test_server::RedisServer::start_with_tls();
    let (url, certificate) = (server.tls_url(), server.certificate());
    let store = [
        ("PLIVO_MODE", "sandbox"),
        ("STORE_URL", url.as_str()),
        ("SECRET_KEY", SECRET_KEY),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
        ("PROOF_ISSUER", "https://verify.example.com"),
    ];
    let made = program.command(&store).arg("--rotate-proof-key").output();
    assert_eq!(made.unwrap().status.code(), Some(0));
    let refusal = program.refuses(&store);
    assert!(
        refusal.contains("STORE_URL") && refusal.contains("localhost"),
        "{refusal}"
    );
    let trusting = [("SSL_CERT_FILE", certificate.to_str().unwrap())];
    let running = program.start(&[&store[..], &trusting].concat());
    let ready = http()
        .get(format!("http://{}/readyz", running.address))
        .send();
    assert_eq!(ready.await.unwrap().status(), 200);
    running.terminate();
}

/// Limits the size of files that the process can write.
fn limit_files(running: &Running, size: &str) {
    let set = Command::new("prlimit")
        .args(["--pid", &running.process().to_string()])
        .arg(format!("--fsize={size}"))
        .status();
    assert!(set.unwrap().success());
}

#[tokio::test]
async fn while_the_disk_is_full_requests_are_refused() {
    let program = Program::new("full");
    // A write beyond the limit fails as on a full or read-only disk.
    let running = program.start(&[]);
    let http = http();
    let url = |path: &str| format!("http://{}{path}", running.address);
    let send = async |recipient: &str| {
        let request = http.post(url("/api/otp/send"));
        let answer = request.json(&json!({"recipient": recipient})).send().await;
        answer.unwrap().status().as_u16()
    };
    let ready = async || {
        http.get(url("/readyz"))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(send("+14155550131").await, 200);
    limit_files(&running, "4096:unlimited");
    assert_eq!(send("+14155550132").await, 503);
    assert_eq!(ready().await, 503);
    let messages = http.get(url("/sandbox/messages")).send().await.unwrap();
    let messages: Value = messages.json().await.unwrap();
    assert_eq!(messages.as_array().unwrap().len(), 1);
    limit_files(&running, "unlimited:unlimited");
    assert_eq!(send("+14155550132").await, 200);
    assert_eq!(ready().await, 200);
    // No partial write has damaged the file.
    running.terminate();
    program.start(&[]).terminate();
}

#[test]
fn a_crash_is_logged_at_the_next_start_and_a_shutdown_is_not() {
    let program = Program::new("crash");
    let start = || program.start_logged(&[]);
    let crashed = |log: &[Value]| of(log, "server.crashed").len();
    let (running, before) = start();
    assert_eq!(crashed(&before), 0);
    running.signal("-KILL");
    assert_eq!(running.ended().0, None);
    let (running, before) = start();
    assert_eq!(crashed(&before), 1, "{before:?}");
    assert!(of(&before, "server.crashed")[0]["began_at"].is_string());
    running.terminate();
    let (running, before) = start();
    assert_eq!(crashed(&before), 0, "{before:?}");
    running.terminate();
}

#[test]
fn two_sandboxes_cannot_share_a_store_and_a_killed_one_does_not_block_it() {
    let server = redis_test_server::RedisServer::start();
    let url = server.url();
    let settings = [
        ("PLIVO_MODE", "sandbox"),
        ("STORE_URL", url.as_str()),
        ("SECRET_KEY", SECRET_KEY),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
        ("PROOF_ISSUER", "https://verify.example.com"),
    ];
    let program = Program::new("two-sandboxes");
    let made = program
        .command(&settings)
        .arg("--rotate-proof-key")
        .output();
    assert_eq!(made.unwrap().status.code(), Some(0));
    let running = program.start(&settings);
    let refused = program.not_for_long(&settings).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let log = String::from_utf8(refused.stderr).unwrap();
    let refusal = log
        .lines()
        .find(|line| line.contains("server.failed"))
        .unwrap();
    assert!(
        refusal.contains("STORE_URL") && refusal.contains("PLIVO_BASE_URL"),
        "{refusal}"
    );
    running.signal("-KILL");
    running.ended();
    program.start(&settings).terminate();
    program.start(&settings).terminate();
}
