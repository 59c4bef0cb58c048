use std::time::Duration;

use serde_json::json;

use crate::app::TestApp;

#[actix_web::test]
async fn the_holder_can_resume_a_session_without_seeing_its_number() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    app.advance(Duration::from_secs(12));
    let answer = app.session(&session).await;
    let seen = answer.ok();
    assert_eq!(seen["status"], "pending");
    assert_eq!(seen["recipient"], "+•••••••••23");
    assert_eq!(seen["resend_in"], 18);
    assert_eq!(seen["expires_in"], 588);
    assert_eq!(seen["attempts"].as_array().unwrap().len(), 1);
    assert!(!answer.text.contains("4155550123") && !answer.text.contains(&session.otp));
}

#[actix_web::test]
async fn the_end_of_a_session_is_reported() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    app.verify(&session, &session.otp).await.ok();
    let seen = app.session(&session).await.ok();
    assert_eq!(seen["status"], "verified");
    assert_eq!(seen["next_actions"], json!([]));
}

#[actix_web::test]
async fn delivery_is_polled_at_intervals() {
    let app = TestApp::start().await;
    let delivered = app.sent("+14155550123").await;
    let failed = app.send("+14155550192").await.ok();
    let path = format!(
        "/api/otp/sessions/{}",
        failed["session_uuid"].as_str().unwrap()
    );
    app.advance(Duration::from_mins(1));
    for _ in 0..20 {
        let seen = app.session(&delivered).await.ok();
        assert_eq!(seen["attempts"][0]["status"], "delivered");
        let seen = app.get(&path).await.ok();
        assert_eq!(seen["attempts"][0]["status"], "undelivered");
    }
    assert_eq!(app.simulator().calls().retrieve, 2);
}
