use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::app::TestApp;

#[actix_web::test]
async fn an_address_has_one_limit_for_all_three_calls() {
    let app = TestApp::start_with(&[("LIMIT_REQUESTS_PER_ADDRESS", "3/1h")]).await;
    let body = json!({});
    for path in ["/api/otp/send", "/api/otp/resend", "/api/otp/verify"] {
        app.post(path, &body).await.problem(400, "invalid_request");
    }
    for path in ["/api/otp/send", "/api/otp/resend", "/api/otp/verify"] {
        let problem = app.post(path, &body).await.problem(429, "rate_limited");
        assert_eq!(problem["limit"], "requests_per_address");
        // A third of an hour, less the time since.
        let seconds = problem["retry_after"].as_u64().unwrap();
        assert!((1190..=1200).contains(&seconds), "{seconds}");
    }
    // Free requests are not limited.
    app.get("/healthz").await.ok();
    app.get("/api/config").await.ok();
}

#[actix_web::test]
async fn an_applications_introspections_leave_its_sends_alone() {
    let limits = [
        ("LIMIT_REQUESTS_PER_ADDRESS", "2/1h"),
        ("LIMIT_INTROSPECTIONS_PER_ADDRESS", "20/1h"),
    ];
    let app = TestApp::start_with(&limits).await;
    let introspect = async || {
        let request = app.request(Method::POST, "/api/proofs/introspect");
        app.call(request.form(&[("token", "none")])).await
    };
    for _ in 0..20 {
        introspect().await.ok();
    }
    introspect().await.problem(429, "rate_limited");
    app.send("+14155550123").await.ok();
    app.send("+14155550124").await.ok();
    app.send("+14155550125").await.problem(429, "rate_limited");
    // Conversely, a caller whose sends are exhausted may still introspect.
    let app = TestApp::start_with(&limits[..1]).await;
    for _ in 0..3 {
        app.send("x").await;
    }
    app.send("x").await.problem(429, "rate_limited");
    let introspect = || {
        let request = app.request(Method::POST, "/api/proofs/introspect");
        app.call(request.form(&[("token", "none")]))
    };
    // The default allows a busy application's server as many in a moment.
    for answer in futures_util::future::join_all((0..500).map(|_| introspect())).await {
        answer.ok();
    }
}

#[actix_web::test]
async fn the_wait_is_never_zero() {
    let app = TestApp::start_with(&[("LIMIT_REQUESTS_PER_ADDRESS", "2/1s")]).await;
    let answers = futures_util::future::join_all((0..50).map(|_| app.send("x"))).await;
    let limited: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 429)
        .collect();
    assert!(!limited.is_empty());
    for answer in limited {
        assert_eq!(answer.problem(429, "rate_limited")["retry_after"], 1);
    }
}

/// Fictitious numbers that differ in the last two digits, none of which has a special
/// meaning in the simulator.
fn number(index: u32) -> String {
    format!("+141555501{index:02}")
}

async fn send_by(app: &TestApp, channel: &str, recipient: &str) -> crate::app::Answer {
    let body = json!({"recipient": recipient, "channel": channel});
    app.post("/api/otp/send", &body).await
}

/// Sends to the numbers in turn: `pass` sends pass, then the wait is `seconds`, and a
/// send after that wait passes, however many were refused meanwhile.
async fn assert_admits(limit: &str, value: &str, numbers: &[String], pass: usize, seconds: u64) {
    let app = TestApp::start_with(&[(limit, value), ("RESEND_WAITS", "1s")]).await;
    for number in &numbers[..pass] {
        app.send(number).await.ok();
        app.advance(Duration::from_secs(1));
    }
    let refused = &numbers[pass];
    for _ in 0..3 {
        let problem = app.send(refused).await.problem(429, "rate_limited");
        assert_eq!(problem["retry_after"], seconds, "{limit}");
        let name = limit.trim_start_matches("LIMIT_").to_lowercase();
        assert_eq!(problem["limit"], name.as_str());
    }
    assert_eq!(app.simulator().calls().create, pass as u64, "{limit}");
    app.advance(Duration::from_secs(seconds - 1));
    app.send(refused).await.problem(429, "rate_limited");
    app.advance(Duration::from_secs(1));
    app.send(refused).await.ok();
}

#[actix_web::test]
async fn sends_are_limited_by_number() {
    let same = vec![number(1); 4];
    assert_admits("LIMIT_SENDS_PER_NUMBER", "3/10m", &same, 3, 597).await;
    // Two quotas are full: the longer wait is reported.
    assert_admits("LIMIT_SENDS_PER_NUMBER", "1/5s,2/1h", &same[..2], 1, 4).await;
}

#[actix_web::test]
async fn sends_are_limited_across_numbers() {
    let different: Vec<String> = (1..=4).map(number).collect();
    for limit in [
        "LIMIT_SENDS_PER_ADDRESS",
        "LIMIT_NUMBERS_PER_ADDRESS",
        "LIMIT_SENDS_PER_RANGE",
        "LIMIT_SENDS_PER_COUNTRY",
        "LIMIT_SENDS_TOTAL",
    ] {
        assert_admits(limit, "3/10m", &different, 3, 597).await;
    }
}

#[actix_web::test]
async fn spellings_of_a_number_are_one_number() {
    let app =
        TestApp::start_with(&[("LIMIT_SENDS_PER_NUMBER", "1/1h"), ("RESEND_WAITS", "1s")]).await;
    app.send("+14155550123").await.ok();
    app.advance(Duration::from_secs(1));
    for spelling in ["+1 (415) 555-0123", " +1.415.555.0123", "+1-415-555-01-23"] {
        app.send(spelling).await.problem(429, "rate_limited");
    }
}

#[actix_web::test]
async fn repeated_sends_to_one_number_count_once_in_numbers_per_address() {
    let app = TestApp::start_with(&[
        ("LIMIT_NUMBERS_PER_ADDRESS", "2/1h"),
        ("RESEND_WAITS", "1s"),
    ])
    .await;
    for index in [1, 2, 1, 2] {
        app.send(&number(index)).await.ok();
        app.advance(Duration::from_secs(1));
    }
    app.send(&number(3)).await.problem(429, "rate_limited");
}

#[actix_web::test]
async fn countries_are_limited_separately() {
    let app = TestApp::start_with(&[("LIMIT_SENDS_PER_COUNTRY", "1/1h")]).await;
    app.send("+14155550123").await.ok();
    app.send("+14155550124").await.problem(429, "rate_limited");
    app.send("+447700900123").await.ok();
}

#[actix_web::test]
async fn calls_are_limited_separately_and_resends_count() {
    let app =
        TestApp::start_with(&[("LIMIT_VOICE_PER_NUMBER", "1/1h"), ("RESEND_WAITS", "1s")]).await;
    send_by(&app, "voice", "+14155550123").await.ok();
    app.advance(Duration::from_secs(1));
    send_by(&app, "voice", "+14155550123")
        .await
        .problem(429, "rate_limited");
    let session = app.sent("+14155550123").await;
    app.advance(Duration::from_secs(1));
    let body = json!({"session_uuid": session.id, "channel": "voice"});
    app.post("/api/otp/resend", &body)
        .await
        .problem(429, "rate_limited");
    let app =
        TestApp::start_with(&[("LIMIT_SENDS_PER_NUMBER", "2/1h"), ("RESEND_WAITS", "1s")]).await;
    let session = app.sent("+14155550123").await;
    app.advance(Duration::from_secs(1));
    app.resend(&session).await.ok();
    app.advance(Duration::from_secs(1));
    app.resend(&session).await.problem(429, "rate_limited");
    assert_eq!(app.simulator().calls().create, 2);
}

#[actix_web::test]
async fn resend_in_takes_all_limits_into_account() {
    let app = TestApp::start_with(&[("LIMIT_SENDS_PER_NUMBER", "3/5m")]).await;
    let session = app.sent("+14155550123").await;
    let mut resend_in = 30;
    for wait in [30, 60] {
        app.advance(Duration::from_secs(wait));
        resend_in = app.resend(&session).await.ok()["resend_in"]
            .as_u64()
            .unwrap();
    }
    // The backoff would be two minutes, but the third send in five minutes has gone out.
    assert_eq!(resend_in, 210);
    app.advance(Duration::from_secs(10));
    assert_eq!(app.session(&session).await.ok()["resend_in"], 200);
    app.advance(Duration::from_secs(199));
    let problem = app.resend(&session).await.problem(429, "rate_limited");
    assert_eq!(problem["retry_after"], 1);
    app.advance(Duration::from_secs(1));
    app.resend(&session).await.ok();
}

#[actix_web::test]
async fn a_new_session_continues_the_numbers_backoff() {
    let app = TestApp::start().await;
    assert_eq!(app.send("+14155550123").await.ok()["resend_in"], 30);
    app.advance(Duration::from_secs(30));
    assert_eq!(app.send("+14155550123").await.ok()["resend_in"], 60);
    app.advance(Duration::from_secs(59));
    app.send("+14155550123").await.problem(429, "rate_limited");
    // Once no code for the number is live, the backoff starts anew.
    app.advance(Duration::from_hours(1));
    assert_eq!(app.send("+14155550123").await.ok()["resend_in"], 30);
}

#[actix_web::test]
async fn wrong_codes_count_across_a_numbers_sessions_and_right_ones_do_not() {
    let app = TestApp::start_with(&[
        ("LIMIT_WRONG_CHECKS_PER_NUMBER", "7/1h"),
        ("LIMIT_SENDS_PER_NUMBER", "off"),
        ("RESEND_WAITS", "1s"),
    ])
    .await;
    let first = app.sent("+14155550123").await;
    for _ in 0..5 {
        app.verify(&first, &first.wrong_otp())
            .await
            .problem(400, "otp_incorrect");
    }
    app.advance(Duration::from_secs(1));
    let second = app.sent("+14155550123").await;
    app.verify(&second, &second.otp).await.ok();
    app.advance(Duration::from_secs(1));
    let third = app.sent("+14155550123").await;
    // Concurrent checks: only as many as are left reach Plivo.
    let before = app.simulator().calls().validate;
    let wrong = third.wrong_otp();
    futures_util::future::join_all((0..20).map(|_| app.verify(&third, &wrong))).await;
    assert_eq!(app.simulator().calls().validate - before, 2);
    let problem = app
        .verify(&third, &third.otp)
        .await
        .problem(429, "rate_limited");
    assert_eq!(problem["retry_after"], 3598);
    // Another number is not affected.
    let other = app.sent("+14155550124").await;
    app.verify(&other, &other.otp).await.ok();
}

#[actix_web::test]
async fn checks_are_limited_by_address_and_refused_ones_use_up_none() {
    let app = TestApp::start_with(&[("LIMIT_CHECKS_PER_ADDRESS", "2/10m")]).await;
    let session = app.sent("+14155550123").await;
    for _ in 0..2 {
        app.verify(&session, &session.wrong_otp())
            .await
            .problem(400, "otp_incorrect");
    }
    app.verify(&session, &session.otp)
        .await
        .problem(429, "rate_limited");
    assert_eq!(app.session(&session).await.ok()["checks_left"], 3);
    assert_eq!(app.simulator().calls().validate, 2);
}

#[actix_web::test]
async fn callers_behind_a_trusted_proxy_are_distinguished_and_cannot_forge_addresses() {
    let settings = [
        ("LIMIT_SENDS_PER_ADDRESS", "1/1h"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = TestApp::start_with(&settings).await;
    let send = async |index: u32, forwarded_for: &str| {
        let request = app
            .request(Method::POST, "/api/otp/send")
            .header("x-forwarded-for", forwarded_for)
            .json(&json!({"recipient": number(index)}));
        app.call(request).await
    };
    send(1, "203.0.113.1").await.ok();
    send(2, "203.0.113.2").await.ok();
    for spoofed in [
        "198.51.100.9, 203.0.113.1",
        "::ffff:203.0.113.1",
        "203.0.113.1:80",
    ] {
        send(3, spoofed).await.problem(429, "rate_limited");
    }
    send(4, "2001:db8:1:1::1").await.ok();
    send(5, "2001:db8:1:1:ffff::2")
        .await
        .problem(429, "rate_limited");
    // Other /64s of the same /48 may send too, four times as many in all.
    for (index, address) in (6..).zip(["2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:1:4::1"]) {
        send(index, address).await.ok();
    }
    send(9, "2001:db8:1:5::1")
        .await
        .problem(429, "rate_limited");
    send(10, "2001:db8:2:1::1").await.ok();
    // Without a trusted proxy, the header is ignored.
    let app = TestApp::start_with(&settings[..1]).await;
    for (index, expected) in [(1, 200), (2, 429)] {
        let request = app
            .request(Method::POST, "/api/otp/send")
            .header("x-forwarded-for", format!("203.0.113.{index}"))
            .json(&json!({"recipient": number(index)}));
        assert_eq!(app.call(request).await.status, expected);
    }
}

#[actix_web::test]
async fn a_send_that_never_left_counts_in_no_limit() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let one: Vec<(&str, &str)> = [
        "LIMIT_SENDS_PER_NUMBER",
        "LIMIT_SENDS_PER_ADDRESS",
        "LIMIT_NUMBERS_PER_ADDRESS",
        "LIMIT_SENDS_PER_RANGE",
        "LIMIT_SENDS_PER_COUNTRY",
        "LIMIT_SENDS_TOTAL",
    ]
    .into_iter()
    .map(|limit| (limit, "1/1h"))
    .collect();
    let app = TestApp::start_live(&base_url, &one).await;
    for index in [1, 1, 2, 3] {
        app.send(&format!("+1415555267{index}"))
            .await
            .problem(503, "temporarily_unavailable");
    }
}
