//! What an operator asks of the program when something went wrong.

use std::process::Command;

use serde_json::{Value, json};

use super::{
    Program, Running,
    hostile::{Fault, Hostile},
    hostile_settings, http, lines, of,
    settings::{check_refuses, checked},
};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[test]
fn a_hang_up_and_a_quit_end_it_as_gracefully_as_a_service_manager_does() {
    for signal in ["-HUP", "-QUIT"] {
        let program = Program::new(&format!("signal{signal}"));
        let running = Running::start(&program, &[]);
        running.signal(signal);
        let (code, log) = running.ended();
        assert_eq!(code, Some(0), "{signal}");
        assert!(log.contains("server.stopped"), "{signal}: {log}");
    }
}

#[tokio::test]
async fn a_program_that_is_to_outlive_its_terminal_does() {
    let program = Program::new("nohup");
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_countersign"));
    let running = Running::start_by(&program, command, &[("PATH", "/usr/bin:/bin")]);
    running.signal("-HUP");
    let url = format!("http://{}/readyz", running.address);
    for _ in 0..5 {
        let answer = http().get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(running.terminate().0, Some(0));
}

#[test]
fn a_crash_is_told_at_the_next_start_and_an_end_is_not() {
    let program = Program::new("crash");
    let start = || Running::start_logged(&program, &[]);
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
fn two_sandboxes_do_not_share_a_store_and_a_killed_one_is_in_nobodys_way() {
    let server = redis_test_server::RedisServer::start();
    let url = server.url();
    let settings = [
        ("PLIVO_MODE", "sandbox"),
        ("STORE_URL", url.as_str()),
        ("SECRET_KEY", KEY),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
        ("PROOF_ISSUER", "https://verify.example.com"),
    ];
    let program = Program::new("two-sandboxes");
    let made = program
        .command(&settings)
        .arg("--rotate-proof-key")
        .output();
    assert_eq!(made.unwrap().status.code(), Some(0));
    let running = Running::start(&program, &settings);
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
    Running::start(&program, &settings).terminate();
    Running::start(&program, &settings).terminate();
}

#[test]
fn values_in_quotes_are_refused_in_one_line() {
    let program = Program::new("quotes");
    for (name, value) in [
        ("PLIVO_MODE", "\"sandbox\""),
        ("BRAND_NAME", "\"Acme Inc\""),
        ("BRAND_NAME", "'Acme'"),
        ("ALLOWED_COUNTRIES", "\"US,GB\""),
        ("LISTEN_ADDR", "'127.0.0.1:0'"),
        ("SECRET_KEY_FILE", "\"secret\""),
        ("PUBLIC_URL", "\"\""),
        ("RUST_LOG", "'info'"),
        ("PROOF_AUDIENCE", "\"shop\""),
        ("METRICS_ADDR", "\"off\""),
    ] {
        let (stdout, stderr, code) = checked(&program, &[("PLIVO_MODE", "sandbox"), (name, value)]);
        assert_eq!(
            (stdout.as_str(), code),
            ("", Some(1)),
            "{name}={value}: {stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        let variable = name.strip_suffix("_FILE").unwrap_or(name);
        assert!(
            stderr.contains(variable) && stderr.contains("quotes"),
            "{stderr}"
        );
    }
    // A name may have them inside.
    let (_, stderr, code) = checked(
        &program,
        &[
            ("PLIVO_MODE", "sandbox"),
            ("BRAND_NAME", "The \"Acme\" Shop"),
        ],
    );
    assert_eq!(code, Some(0), "{stderr}");
}

#[tokio::test]
async fn who_got_no_code_is_found_by_the_number() {
    let program = Program::new("no-code");
    let address = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let public_url = format!("http://{address}");
    let settings = [
        ("PLIVO_MODE", "sandbox"),
        ("LISTEN_ADDR", address.as_str()),
        ("PUBLIC_URL", public_url.as_str()),
    ];
    let running = Running::start(&program, &settings);
    let http = http();
    let ask = async |recipient: &str| {
        let body = json!({"recipient": recipient});
        let url = format!("{public_url}/api/otp/send");
        let request = http.post(url).header("traceparent", TRACEPARENT);
        request.json(&body).send().await.unwrap()
    };
    // One that the simulator does not deliver to.
    let sent = ask(UNDELIVERED).await;
    assert_eq!(sent.status(), 200);
    let request_id = sent.headers()["x-request-id"].to_str().unwrap().to_owned();
    let sent: Value = sent.json().await.unwrap();
    let session = format!(
        "{public_url}/api/otp/sessions/{}",
        sent["session_uuid"].as_str().unwrap()
    );
    assert_eq!(ask(UNDELIVERED).await.status(), 429);
    assert_eq!(ask("+14155550123456789").await.status(), 400);
    let undelivered = async || {
        let seen: Value = http
            .get(&session)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        seen["attempts"][0]["status"] == "undelivered"
    };
    let told = async {
        while !undelivered().await {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), told)
        .await
        .unwrap();

    // Beside the running service.
    let report = |number: &str| {
        let mut command = program.command(&settings);
        command.args(["--number", number]);
        command.output().unwrap()
    };
    let told = report(UNDELIVERED);
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(0), "{text}");
    let tag = text.split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(tag.len(), 12);
    for part in [
        "undelivered",
        "sends_per_number: 1 of ",
        "wrong_checks_per_number: 0 of ",
        "resend_backoff: the next one passes at ",
        "session pending until ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("41555"), "{text}");
    let unknown = String::from_utf8(report("+14155550198").stdout).unwrap();
    assert!(unknown.contains("no code was asked for") && !unknown.contains(&tag));
    let none = report("nobody");
    assert_eq!(none.status.code(), Some(1));
    let said = String::from_utf8(none.stderr).unwrap();
    assert!(
        said.contains("--number") && !said.contains("nobody"),
        "{said}"
    );

    drop(http);
    let (_, log) = running.terminate();
    the_log_tells(&log, &tag, &request_id);
}

/// Every line about the number and its request is found by their names.
fn the_log_tells(log: &str, tag: &str, request_id: &str) {
    let lines = lines(log);
    let sent = of(&lines, "otp.sent")[0];
    assert_eq!(sent["number"], tag);
    assert_eq!(sent["request_id"], request_id);
    assert_eq!(sent["trace_id"], &TRACEPARENT[3..35]);
    let changes = of(&lines, "delivery.changed");
    let undelivered = changes
        .iter()
        .find(|line| line["status"] == "undelivered")
        .unwrap();
    assert_eq!(undelivered["send_request_id"], request_id);
    assert_eq!(undelivered["upstream_id"], sent["upstream_id"]);
    assert_eq!(undelivered["number"], tag);
    let refused = of(&lines, "rate_limit.hit")[0];
    assert_eq!(refused["number"], tag);
    let requests = of(&lines, "http.request");
    let with = |status: u16| {
        requests
            .iter()
            .find(|line| line["status"] == status)
            .unwrap()
    };
    assert_eq!(with(429)["code"], "rate_limited");
    assert_eq!(with(429)["number"], tag);
    assert_eq!(with(400)["code"], "recipient_invalid");
    assert!(with(200).get("code").is_none());
}

/// The simulator takes it, and says after three seconds that it did not arrive.
const UNDELIVERED: &str = "+14155550192";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_plivo_refuses_are_one_error_until_it_takes_them_again() {
    let refused = || Fault::answer("401 No", "content-type: application/json\r\n", b"{}");
    let hostile = Hostile::start(refused());
    let base_url = hostile.base_url();
    let program = Program::new("credentials");
    let running = Running::start(&program, &hostile_settings(&base_url));
    let http = http();
    let send = async |index: usize| {
        let body = json!({"recipient": format!("+1415555010{index}")});
        let url = format!("http://{}/api/otp/send", running.address);
        let answer = http.post(url).json(&body).send().await.unwrap();
        answer.status().as_u16()
    };
    for index in 0..3 {
        assert_eq!(send(index).await, 502);
    }
    hostile.does(Fault::None);
    assert_eq!(send(3).await, 200);
    hostile.does(refused());
    assert_eq!(send(4).await, 502);
    drop(http);
    let (_, log) = running.terminate();
    let lines = lines(&log);
    let errors = of(&lines, "upstream.credentials_refused");
    assert_eq!(errors.len(), 2, "{log}");
    assert_eq!(errors[0]["level"], "error");
    assert!(of(&lines, "upstream.failed").is_empty(), "{log}");
}

#[tokio::test]
async fn a_proxy_that_is_found_to_be_the_caller_is_said_once_and_counted() {
    let program = Program::new("caller-proxy");
    let address = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let settings = [
        ("TRUSTED_PROXIES", "127.0.0.1,fd30:80::/64"),
        ("METRICS_ADDR", address.as_str()),
    ];
    let running = Running::start(&program, &settings);
    let http = http();
    let send = async |index: usize, forwarded: &str| {
        let body = json!({"recipient": format!("+1415555010{index}")});
        let url = format!("http://{}/api/otp/send", running.address);
        let request = http.post(url).header("x-forwarded-for", forwarded);
        let answer = request.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    };
    send(0, "198.51.100.7").await;
    send(1, "fd30:80::1").await;
    send(2, "fd30:80::1").await;
    let metrics = http
        .get(format!("http://{address}/metrics"))
        .send()
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("\ncountersign_callers_proxies_total 2\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("\ncountersign_build_info{version=\"0.1.0\"} 1\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("\nprocess_start_time_seconds "),
        "{metrics}"
    );
    drop(http);
    let (_, log) = running.terminate();
    let lines = lines(&log);
    let said = of(&lines, "caller.is_proxy");
    assert_eq!(said.len(), 1, "{log}");
    assert_eq!(said[0]["proxy"], "fd30:80::1");
}

#[cfg(unix)]
#[test]
fn key_files_that_others_can_write_are_refused_and_ones_that_they_can_read_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let program = Program::new("key-files");
    let key = program.directory.join("key");
    std::fs::write(&key, KEY).unwrap();
    let settings = [("PLIVO_MODE", "sandbox"), ("SECRET_KEY_FILE", "key")];
    let set = |file: &std::path::Path, mode| {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let warned = |log: &str, variable: &str| {
        let mut lines = log.lines();
        lines.any(|line| line.contains("key_file.readable") && line.contains(variable))
    };
    for mode in [0o600, 0o400, 0o640] {
        set(&key, mode);
        let (_, stderr, code) = checked(&program, &settings);
        assert!(
            code == Some(0) && !warned(&stderr, ""),
            "{mode:o}: {stderr}"
        );
    }
    set(&key, 0o644);
    let (_, stderr, code) = checked(&program, &settings);
    assert!(
        code == Some(0) && warned(&stderr, "SECRET_KEY_FILE"),
        "{stderr}"
    );
    let (running, before) = Running::start_logged(&program, &settings);
    assert_eq!(of(&before, "key_file.readable").len(), 1);
    running.terminate();
    for mode in [0o666, 0o602, 0o620, 0o777] {
        set(&key, mode);
        for refusal in [
            program.refuses(&settings),
            check_refuses(&program, &settings),
        ] {
            assert!(refusal.contains("SECRET_KEY_FILE"), "{mode:o}: {refusal}");
        }
    }
    set(&key, 0o600);
    // The keys of proofs, which the start above has made.
    let proofs = program.directory.join("data/proof-keys.json");
    set(&proofs, 0o606);
    assert!(
        program
            .refuses(&settings)
            .contains("PROOF_SIGNING_KEYS_FILE")
    );
    set(&proofs, 0o644);
    let (_, stderr, _) = checked(&program, &settings);
    assert!(warned(&stderr, "PROOF_SIGNING_KEYS_FILE"), "{stderr}");
}

#[test]
fn the_start_prints_the_issuer_as_proofs_name_it() {
    let program = Program::new("issuer");
    for (settings, issuer) in [
        (
            &[("PROOF_ISSUER", "https://verify.example.com/")][..],
            Some("https://verify.example.com"),
        ),
        (
            &[("PUBLIC_URL", "https://verify.example.com/")],
            Some("https://verify.example.com"),
        ),
        (&[], None),
    ] {
        let (running, before) = Running::start_logged(&program, settings);
        let started = of(&before, "server.started")[0];
        let own = format!("http://{}", running.address);
        assert_eq!(started["issuer"], issuer.unwrap_or(&own));
        running.terminate();
    }
}

#[test]
fn the_first_rotation_after_the_making_says_that_there_is_nothing_to_do() {
    let program = Program::new("first-rotation");
    let settings = [("PLIVO_MODE", "sandbox")];
    Running::start(&program, &settings).terminate();
    let mut command = program.command(&settings);
    let rotated = command.arg("--rotate-proof-key").output().unwrap();
    assert_eq!(rotated.status.code(), Some(1));
    let said = String::from_utf8(rotated.stderr).unwrap();
    assert!(
        said.contains("was made a moment ago") && said.contains("nothing to do"),
        "{said}"
    );
}
