//! The log and the metrics: what they report, and what they must never contain.

use countersign_test_support::{
    hostile::{Fault, Hostile},
    http, lines, of,
};
use serde_json::{Value, json};

use super::{Program, hostile_settings};

#[tokio::test]
async fn the_operator_sees_the_spend_and_where_codes_are_not_entered() {
    let program = Program::new("spend");
    let prices = "country,channel,price\n*,sms,0.01\n*,voice,0.01\n";
    std::fs::write(program.directory.join("prices.csv"), prices).unwrap();
    let settings = [
        ("PRICES_FILE", "prices.csv"),
        ("SPEND_CAP", "0.12/1h"),
        ("CONVERSION_MIN_SENDS", "10"),
        ("CONVERSION_GRACE", "0s"),
        ("PATH", "/usr/bin:/bin"),
    ];
    let running = program.start(&settings);
    let http = http();
    let url = format!("http://{}/api/otp/send", running.address);
    let mut statuses = Vec::new();
    for index in 1..=13 {
        let body = json!({"recipient": format!("+141555501{index:02}")});
        let answer = http.post(&url).json(&body).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    drop(http);
    assert_eq!(statuses, [vec![200; 12], vec![429]].concat());
    let (_, log) = running.terminate();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect();
    let alerts: Vec<&Value> = of("spend.alert");
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0]["per"], "1h");
    assert_eq!(alerts[0]["spent"], "0.100000");
    let slumps: Vec<&Value> = of("conversion.tripped");
    let rules: Vec<&Value> = slumps.iter().map(|line| &line["rule"]).collect();
    assert_eq!(rules, ["conversion_country", "conversion_range"]);
    for line in slumps {
        assert_eq!(
            (&line["mode"], &line["country"]),
            (&json!("monitor"), &json!("US"))
        );
        let is_range = line["rule"] == "conversion_range";
        let range = if is_range { "+1415555" } else { "" };
        assert_eq!(line["range"], range);
    }
    let reached: Vec<&Value> = of("rate_limit.hit");
    assert_eq!(reached[0]["limit"], "spend_cap");
    assert!(
        !log.contains("141555501"),
        "more than a range is in the log"
    );
}

#[tokio::test]
async fn no_number_code_or_session_is_logged_at_any_level() {
    let program = Program::new("log");
    let running = program.start(&[("RUST_LOG", "trace"), ("PATH", "/usr/bin:/bin")]);
    let http = http();
    let url = |path: &str| format!("http://{}{path}", running.address);
    let post = async |path: &str, body: Value| -> Value {
        let answer = http.post(url(path)).json(&body).send().await.unwrap();
        answer.json().await.unwrap()
    };
    let recipient = "+14155550137";
    let sent = post("/api/otp/send", json!({"recipient": recipient})).await;
    let id = sent["session_uuid"].as_str().unwrap();
    let messages: Value = http
        .get(url("/sandbox/messages"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let otp = messages[0]["otp"].as_str().unwrap();
    let wrong = if otp == "975310" { "975311" } else { "975310" };
    post("/api/otp/verify", json!({"session_uuid": id, "otp": wrong})).await;
    http.get(url(&format!("/api/otp/sessions/{id}")))
        .send()
        .await
        .unwrap();
    let verified = post("/api/otp/verify", json!({"session_uuid": id, "otp": otp})).await;
    assert_eq!(verified["verified"], true);
    post("/api/otp/send", json!({"recipient": "+1415555O187"})).await;
    let method = reqwest::Method::from_bytes(format!("X{recipient}").as_bytes()).unwrap();
    http.request(method, url("/healthz")).send().await.unwrap();
    drop(http);

    let (otp, id) = (otp.to_owned(), id.to_owned());
    let (code, log) = running.terminate();
    assert_eq!(code, Some(0));
    for event in [
        "otp.sent",
        "otp.incorrect",
        "otp.verified",
        "http.request",
        "server.stopped",
    ] {
        assert!(log.contains(event), "no {event} in {log}");
    }
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // All lines of a request have the same id, its access line included.
    for event in ["otp.sent", "otp.incorrect", "otp.verified"] {
        let line = lines.iter().find(|line| line["event"] == event).unwrap();
        let request = lines.iter().find(|other| {
            other["event"] == "http.request" && other["request_id"] == line["request_id"]
        });
        let route = request.unwrap()["route"].as_str().unwrap();
        assert!(route.starts_with("/api/otp/"), "{line}");
    }
    for secret in [
        "4155550137",
        &otp,
        wrong,
        &id,
        "1415555O187",
        "simulator_auth_token",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_logged_once_until_plivo_accepts_them_again() {
    let refused = || Fault::answer("401 No", "content-type: application/json\r\n", b"{}");
    let hostile = Hostile::start(refused());
    let base_url = hostile.base_url();
    let program = Program::new("credentials");
    let running = program.start(&hostile_settings(&base_url));
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
async fn an_unconfigured_proxy_is_logged_once_and_counted() {
    let program = Program::new("caller-proxy");
    let address = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let settings = [
        ("TRUSTED_PROXIES", "127.0.0.1,fd30:80::/64"),
        ("METRICS_ADDR", address.as_str()),
    ];
    let running = program.start(&settings);
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
    let said = of(&lines, "caller.trusted_proxy");
    assert_eq!(said.len(), 1, "{log}");
    assert_eq!(said[0]["proxy"], "fd30:80::1");
}
