//! What trying it twice is like, with the one number that all documents use.

use crate::app::{Session, TestApp, TestStore};

const NUMBER: &str = "+14155550123";

/// With the limits that the sandbox has of itself.
async fn sandbox() -> TestApp {
    let settings = [
        ("PLIVO_MODE", "sandbox"),
        ("LIMIT_REQUESTS_PER_ADDRESS", "off"),
    ];
    TestApp::start_as(TestStore::usual(), &settings).await
}

#[actix_web::test]
async fn a_number_is_verified_again_and_again_without_a_wait() {
    let app = sandbox().await;
    for _ in 0..15 {
        let answer = app.send(NUMBER).await.ok();
        // Each try is like the first.
        assert_eq!(answer["resend_in"], 30);
        let session = Session {
            id: answer["session_uuid"].as_str().unwrap().to_owned(),
            otp: app.newest_otp(NUMBER).await,
        };
        app.verify(&session, &session.otp).await.ok();
    }
}

#[actix_web::test]
async fn a_number_that_was_not_verified_waits_as_it_does_live() {
    let app = sandbox().await;
    app.send(NUMBER).await.ok();
    // Another one that is verified changes nothing for it.
    let other = app.sent("+14155550124").await;
    app.verify(&other, &other.otp).await.ok();
    let problem = app.send(NUMBER).await.problem(429, "rate_limited");
    assert_eq!(problem["limit"], "resend_waits");
    assert_eq!(problem["retry_after"], 30);
}

#[actix_web::test]
async fn one_wrong_code_too_many_names_its_rule_too() {
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
