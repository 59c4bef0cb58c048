//! A code is accepted only if Plivo reports its own success.

use std::time::Duration;

use countersign_test_support::hostile::{Fault, Hostile, OTP};

use crate::app::{Session, TestApp};

/// The simulator's numbers whose answer to the right code is not Plivo's success.
const LYING: [&str; 3] = ["+14155550183", "+14155550184", "+14155550185"];

async fn start() -> TestApp {
    TestApp::start_with(&[("METRICS_ADDR", "127.0.0.1:0")]).await
}

async fn is_pending(app: &TestApp, session: &Session) -> bool {
    app.session(session).await.ok()["status"] == "pending"
}

#[actix_web::test]
async fn a_success_without_its_full_stop_is_one() {
    let app = start().await;
    let session = app.sent("+14155550187").await;
    let answer = app.verify(&session, &session.otp).await.ok();
    assert_eq!(answer["verified"], true);
}

/// Plivo considers the session verified by then, possibly with another caller's code.
#[actix_web::test]
async fn no_other_text_accepts_even_the_right_code() {
    for number in LYING {
        let app = start().await;
        let session = app.sent(number).await;
        let answer = app.verify(&session, &session.otp).await;
        answer.problem(502, "upstream_error");
        assert!(!answer.text.contains("proof"), "{}", answer.text);
        let calls = app.simulator().calls();
        assert_eq!((calls.validate, calls.retrieve), (1, 1), "{number}");
        assert!(is_pending(&app, &session).await, "{number}");
        assert_eq!(app.session(&session).await.ok()["checks_left"], 4);
        let counted = "countersign_upstream_unexpected_total 1";
        assert!(app.has(counted).await, "{}", app.metrics().await);
    }
}

#[actix_web::test]
async fn a_refusal_with_status_200_is_a_wrong_code() {
    for number in ["+14155550184", "+14155550185", "+14155550186"] {
        let app = start().await;
        let session = app.sent(number).await;
        let answer = app.verify(&session, &session.wrong_otp()).await;
        let problem = answer.problem(400, "otp_incorrect");
        assert_eq!(problem["checks_left"], 4);
        assert_eq!(app.simulator().calls().retrieve, 1);
    }
    let app = start().await;
    let session = app.sent("+14155550186").await;
    app.verify(&session, &session.wrong_otp())
        .await
        .problem(400, "otp_incorrect");
    app.verify(&session, &session.otp).await.ok();
}

#[actix_web::test]
async fn a_session_expired_at_plivo_is_expired() {
    let app = start().await;
    let session = app.sent("+14155550185").await;
    app.simulator().advance(Duration::from_mins(11));
    app.verify(&session, &session.wrong_otp())
        .await
        .problem(404, "session_expired");
}

/// Otherwise anybody could deny codes to everybody by entering wrong ones.
#[actix_web::test]
async fn wrong_codes_answered_with_200_open_no_circuit_breaker() {
    let app = start().await;
    for number in ["+14155550186", "+12125550186", "+13105550186"] {
        let session = app.sent(number).await;
        for _ in 0..4 {
            app.verify(&session, &session.wrong_otp())
                .await
                .problem(400, "otp_incorrect");
        }
    }
    let closed = "countersign_circuit_breaker_state{state=\"closed\"} 1";
    assert!(app.has(closed).await);
    app.sent("+14155550123").await;
}

#[actix_web::test]
async fn one_plivo_session_is_never_used_for_two_numbers() {
    let app = start().await;
    // Its first send creates a session of its own.
    let shared = app.sent("+14155550182").await;
    let other = app.sent("+14155550123").await;
    app.advance(Duration::from_secs(31));
    app.resend(&shared).await.problem(502, "upstream_error");
    app.advance(Duration::from_secs(61));
    app.send("+14155550182")
        .await
        .problem(502, "upstream_error");
    // The other number's code does not verify this session.
    app.verify(&shared, &other.otp)
        .await
        .problem(400, "otp_incorrect");
    assert_eq!(
        app.verify(&other, &other.otp).await.ok()["recipient"],
        "+14155550123"
    );
}

/// A resend returns Plivo's session for the number, which belongs to no other number.
#[actix_web::test]
async fn one_number_may_have_the_same_plivo_session_twice() {
    let app = start().await;
    let first = app.sent("+14155550123").await;
    app.advance(Duration::from_secs(31));
    app.resend(&first).await.ok();
    app.advance(Duration::from_secs(61));
    let second = app.sent("+14155550123").await;
    assert_eq!(app.simulator().session_ids().len(), 1);
    app.verify(&second, &second.otp).await.ok();
}

#[actix_web::test]
async fn an_operator_can_configure_plivos_success_message() {
    let hostile = Hostile::start(Fault::None);
    let words = "session validated successfully|the code is right, thank you";
    let settings = [("PLIVO_ACCEPTED_MESSAGES", words)];
    let app = TestApp::start_live(&hostile.base_url(), &settings).await;
    let sent = app.send("+14155550123").await.ok();
    let session = Session {
        id: sent["session_uuid"].as_str().unwrap().to_owned(),
        otp: OTP.to_owned(),
    };
    let json = "content-type: application/json\r\n";
    let answer = br#"{"message":"The code is right, thank you."}"#;
    hostile.does(Fault::answer("200 OK", json, answer));
    app.verify(&session, OTP).await.ok();
}
