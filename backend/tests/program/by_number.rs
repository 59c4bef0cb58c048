//! `--number`: how an operator finds out why somebody got no code.

use countersign_test_support::{http, lines, of};
use serde_json::{Value, json};

use super::Program;

#[tokio::test]
async fn a_failed_delivery_is_found_by_its_number() {
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
    let running = program.start(&settings);
    let http = http();
    let ask = async |recipient: &str| {
        let body = json!({"recipient": recipient});
        let url = format!("{public_url}/api/otp/send");
        let request = http.post(url).header("traceparent", TRACEPARENT);
        request.json(&body).send().await.unwrap()
    };
    // A number that the simulator does not deliver to.
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

    // While the service is running.
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
    assert_log_is_searchable(&log, &tag, &request_id);
}

/// Every log line about the number and its request can be found by their ids.
fn assert_log_is_searchable(log: &str, tag: &str, request_id: &str) {
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

/// The simulator accepts it, and reports after three seconds that it was not delivered.
const UNDELIVERED: &str = "+14155550192";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
