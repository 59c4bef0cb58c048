use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::app::TestApp;

#[actix_web::test]
async fn a_resend_keeps_session_and_code_and_waits_longer_each_time() {
    let app = TestApp::start_with(&[("LIMIT_SENDS_PER_NUMBER", "off")]).await;
    let session = app.sent("+14155550123").await;
    for (wait, next) in [(30, 60), (60, 120), (120, 300)] {
        app.advance(Duration::from_secs(wait - 1));
        let problem = app.resend(&session).await.problem(429, "rate_limited");
        assert_eq!(problem["retry_after"], 1);
        app.advance(Duration::from_secs(1));
        let answer = app.resend(&session).await.ok();
        assert_eq!(answer["session_uuid"], session.id.as_str());
        assert_eq!(answer["resend_in"], next);
        assert_eq!(app.newest_otp("+14155550123").await, session.otp);
    }
    app.verify(&session, &session.otp).await.ok();
}

#[actix_web::test]
async fn a_resend_does_not_reset_the_checks() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    app.verify(&session, &session.wrong_otp())
        .await
        .problem(400, "otp_incorrect");
    app.advance(Duration::from_secs(30));
    assert_eq!(app.resend(&session).await.ok()["checks_left"], 4);
}

#[actix_web::test]
async fn a_resend_can_take_another_channel() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    app.advance(Duration::from_secs(30));
    let body = json!({"session_uuid": session.id, "channel": "voice"});
    assert_eq!(
        app.post("/api/otp/resend", &body).await.ok()["channel"],
        "voice"
    );
    let attempts = app.session(&session).await.ok()["attempts"].clone();
    assert_eq!(attempts[0]["channel"], "sms");
    assert_eq!(attempts[1]["channel"], "voice");
}

#[actix_web::test]
async fn a_verified_session_cannot_be_resent() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    app.verify(&session, &session.otp).await.ok();
    app.advance(Duration::from_secs(30));
    app.resend(&session)
        .await
        .problem(409, "session_already_verified");
}

#[actix_web::test]
async fn fifty_resends_at_once_are_one_message() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    app.advance(Duration::from_secs(30));
    let answers = join_all((0..50).map(|_| app.resend(&session))).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        1
    );
    assert_eq!(app.simulator().calls().create, 2);
}

#[actix_web::test]
async fn a_send_right_after_a_resend_waits_too() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    app.advance(Duration::from_secs(30));
    app.resend(&session).await.ok();
    app.send("+14155550123").await.problem(429, "rate_limited");
}
