//! Repeated tries of the sandbox, with the one number that all documents use.

use crate::app::{Session, TestApp, TestStore};

const NUMBER: &str = "+14155550123";

/// Starts with the sandbox's own limits.
async fn sandbox() -> TestApp {
    let settings = [
        ("PLIVO_MODE", "sandbox"),
        ("LIMIT_REQUESTS_PER_ADDRESS", "off"),
    ];
    TestApp::start_as(TestStore::usual(), &settings).await
}

#[actix_web::test]
async fn a_number_can_be_verified_repeatedly_without_a_wait() {
    let app = sandbox().await;
    for _ in 0..15 {
        let answer = app.send(NUMBER).await.ok();
        // Each try gets the same answer as the first.
        assert_eq!(answer["resend_in"], 30);
        let session = Session {
            id: answer["session_uuid"].as_str().unwrap().to_owned(),
            otp: app.newest_otp(NUMBER).await,
        };
        app.verify(&session, &session.otp).await.ok();
    }
}

#[actix_web::test]
async fn an_unverified_number_has_the_same_backoff_as_in_live_mode() {
    let app = sandbox().await;
    app.send(NUMBER).await.ok();
    // A verification of another number makes no difference.
    let other = app.sent("+14155550124").await;
    app.verify(&other, &other.otp).await.ok();
    let problem = app.send(NUMBER).await.problem(429, "rate_limited");
    assert_eq!(problem["limit"], "resend_backoff");
    assert_eq!(problem["retry_after"], 30);
}

#[actix_web::test]
async fn exhausted_checks_name_their_limit() {
    let app = sandbox().await;
    let session = app.sent(NUMBER).await;
    for _ in 0..5 {
        let wrong = app.verify(&session, &session.wrong_otp()).await;
        wrong.problem(400, "otp_incorrect");
    }
    let refused = [
        app.verify(&session, &session.otp).await,
        app.resend(&session).await,
    ];
    for answer in refused {
        let problem = answer.problem(429, "checks_exhausted");
        assert_eq!(problem["limit"], "checks_per_session");
    }
}
