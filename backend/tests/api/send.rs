use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::app::TestApp;

#[actix_web::test]
async fn a_code_is_sent_and_the_answer_says_what_comes_next() {
    let app = TestApp::start().await;
    let answer = app.send("+1 (415) 555-0123").await.ok();
    assert_eq!(answer["recipient"], "+14155550123");
    assert_eq!(answer["channel"], "sms");
    assert_eq!(answer["otp_length"], 6);
    assert_eq!(answer["expires_in"], 600);
    assert_eq!(answer["resend_in"], 30);
    assert_eq!(answer["checks_left"], 5);
    assert_eq!(
        answer["next_actions"],
        json!(["verify", "resend", "change_recipient"])
    );
    let expires_at = humantime::parse_rfc3339(answer["expires_at"].as_str().unwrap());
    assert!(expires_at.is_ok());
    assert_eq!(app.newest_otp("+14155550123").await.len(), 6);
}

#[actix_web::test]
async fn the_session_id_is_ours_and_plivos_is_not_revealed() {
    let app = TestApp::start().await;
    let answer = app.send("+14155550101").await;
    let ours = answer.ok()["session_uuid"].as_str().unwrap().to_owned();
    assert!(countersign_shared::SessionId::parse(&ours).is_ok());
    app.advance(Duration::from_secs(31));
    let second = app.send("+14155550101").await.ok();
    // Plivo has one session for the number; each caller holds one of ours.
    assert_ne!(second["session_uuid"], ours.as_str());
    let upstream = app
        .simulator()
        .received()
        .iter()
        .filter(|request| request.path.contains(&ours))
        .count();
    assert_eq!(upstream, 0);
}

#[actix_web::test]
async fn numbers_that_cannot_be_sent_to_are_refused_before_any_call() {
    let app = TestApp::start_with(&[("ALLOWED_COUNTRIES", "US,GB,DE,IT")]).await;
    for (recipient, code) in [
        ("", "recipient_invalid"),
        ("4155550123", "recipient_invalid"),
        ("+1415555O123", "recipient_invalid"),
        ("+1415\u{200b}5550123", "recipient_invalid"),
        ("+14155550123;ext=5", "recipient_invalid"),
        ("+15555550123", "recipient_invalid"),
        ("+882161234567890", "recipient_invalid"),
        ("+33612345678", "country_not_allowed"),
        // A premium number, and a landline by text message.
        ("+19005550123", "number_type_not_allowed"),
        ("+442079460000", "number_type_not_allowed"),
    ] {
        let problem = app.send(recipient).await.problem(400, code);
        assert_eq!(problem["field"], "recipient", "{recipient:?}");
    }
    assert_eq!(app.simulator().calls().create, 0);
}

#[actix_web::test]
async fn a_landline_can_be_called() {
    let app = TestApp::start().await;
    let body = json!({"recipient": "+442079460000", "channel": "voice"});
    assert_eq!(
        app.post("/api/otp/send", &body).await.ok()["channel"],
        "voice"
    );
}

#[actix_web::test]
async fn a_channel_that_is_off_is_refused() {
    let app = TestApp::start().await;
    let body = json!({"recipient": "+14155550123", "channel": "whatsapp"});
    let answer = app.post("/api/otp/send", &body).await;
    assert_eq!(
        answer.problem(400, "channel_not_available")["field"],
        "channel"
    );
    assert_eq!(app.simulator().calls().create, 0);
}

#[actix_web::test]
async fn a_trunk_zero_after_the_calling_code_is_dropped_and_italys_zero_stays() {
    let app = TestApp::start().await;
    let sent = app.send("+44 (0)7400 123456").await.ok();
    assert_eq!(sent["recipient"], "+447400123456");
    let body = json!({"recipient": "+390612345678", "channel": "voice"});
    let sent = app.post("/api/otp/send", &body).await.ok();
    assert_eq!(sent["recipient"], "+390612345678");
}

#[actix_web::test]
async fn fictitious_numbers_are_for_the_sandbox_only() {
    let app = TestApp::start().await;
    app.send("+447700900123").await.ok();
    let live = TestApp::start_live("http://127.0.0.1:9", &[]).await;
    live.send("+447700900123")
        .await
        .problem(400, "recipient_invalid");
}

#[actix_web::test]
async fn a_number_is_not_sent_to_twice_within_its_backoff() {
    let app = TestApp::start().await;
    app.send("+14155550123").await.ok();
    app.advance(Duration::from_secs(10));
    let problem = app.send("+14155550123").await.problem(429, "rate_limited");
    assert_eq!(problem["retry_after"], 20);
    // Refused requests do not extend the backoff, and waiting for it suffices.
    app.send("+14155550123").await.problem(429, "rate_limited");
    app.advance(Duration::from_secs(20));
    app.send("+14155550123").await.ok();
}

#[actix_web::test]
async fn fifty_sends_at_once_are_one_message() {
    let app = TestApp::start().await;
    let answers = join_all((0..50).map(|_| app.send("+14155550123"))).await;
    let sent = answers.iter().filter(|answer| answer.status == 200).count();
    let limited = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((sent, limited), (1, 49));
    assert_eq!(app.simulator().calls().create, 1);
}

#[actix_web::test]
async fn upstream_errors_become_problems_of_ours() {
    let app = TestApp::start().await;
    for (recipient, status, code) in [
        ("+14155550190", 502, "upstream_error"),
        ("+14155550194", 400, "country_not_allowed"),
        ("+14155550196", 502, "upstream_error"),
        ("+14155550198", 502, "upstream_error"),
        ("+14155550195", 503, "temporarily_unavailable"),
    ] {
        let answer = app.send(recipient).await;
        answer.problem(status, code);
        for word in ["Insufficient", "too many requests", "<html", "Plivo"] {
            assert!(!answer.text.contains(word), "{}", answer.text);
        }
    }
    // Each caused one call: a send is never repeated.
    assert_eq!(app.simulator().calls().create, 5);
    // The request may have left, so the number's backoff outlasts the general pause.
    app.advance(Duration::from_secs(5));
    app.send("+14155550196").await.problem(429, "rate_limited");
}

#[actix_web::test]
async fn a_send_that_never_left_refunds_the_backoff() {
    // Nothing listens on this port any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let app = TestApp::start_live(&base_url, &[]).await;
    for _ in 0..2 {
        let problem = app
            .send("+14155552671")
            .await
            .problem(503, "temporarily_unavailable");
        assert_eq!(problem["retry_after"], 5);
    }
}
