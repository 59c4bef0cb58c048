use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::app::{Session, TestApp};

#[actix_web::test]
async fn the_right_code_verifies_once() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    let answer = app.verify(&session, &session.otp).await.ok();
    assert_eq!(answer["verified"], true);
    assert_eq!(answer["recipient"], "+14155550123");
    assert!(answer["message"].is_string());
    app.verify(&session, &session.otp)
        .await
        .problem(409, "session_already_verified");
    assert_eq!(app.simulator().calls().validate, 1);
}

#[actix_web::test]
async fn a_wrong_code_reports_the_checks_left_and_the_last_one_can_succeed() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    for left in [4, 3, 2, 1] {
        let answer = app.verify(&session, &session.wrong_otp()).await;
        let problem = answer.problem(400, "otp_incorrect");
        assert_eq!(problem["verified"], false);
        assert_eq!(problem["checks_left"], left);
        assert!(!answer.text.contains(&session.wrong_otp()));
    }
    app.verify(&session, &session.otp).await.ok();
}

#[actix_web::test]
async fn five_wrong_codes_end_the_session() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    for _ in 0..5 {
        app.verify(&session, &session.wrong_otp())
            .await
            .problem(400, "otp_incorrect");
    }
    let problem = app
        .verify(&session, &session.otp)
        .await
        .problem(429, "checks_exhausted");
    assert_eq!(problem["next_actions"], json!(["send"]));
    assert_eq!(app.simulator().calls().validate, 5);
    app.advance(Duration::from_secs(31));
    app.resend(&session).await.problem(429, "checks_exhausted");
}

#[actix_web::test]
async fn a_code_of_another_length_uses_no_check() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    let problem = app
        .verify(&session, "1234567")
        .await
        .problem(400, "invalid_request");
    assert_eq!(problem["field"], "otp");
    assert_eq!(app.session(&session).await.ok()["checks_left"], 5);
    assert_eq!(app.simulator().calls().validate, 0);
}

#[actix_web::test]
async fn a_resend_does_not_extend_the_session() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    app.advance(Duration::from_secs(590));
    app.resend(&session).await.ok();
    app.advance(Duration::from_secs(10));
    app.verify(&session, &session.otp)
        .await
        .problem(404, "session_expired");
    app.resend(&session).await.problem(404, "session_expired");
    app.session(&session).await.problem(404, "session_expired");
    assert_eq!(app.simulator().calls().validate, 0);
}

#[actix_web::test]
async fn an_unknown_session_is_not_found_and_a_malformed_id_is_invalid() {
    let app = TestApp::start().await;
    let unknown = Session {
        id: "8e712097-8090-4644-81e7-8f4265d8354e".into(),
        otp: "123456".into(),
    };
    app.verify(&unknown, "123456")
        .await
        .problem(404, "session_not_found");
    app.resend(&unknown).await.problem(404, "session_not_found");
    app.session(&unknown)
        .await
        .problem(404, "session_not_found");
    for id in [
        "",
        "x",
        "8E712097-8090-4644-81E7-8F4265D8354E",
        "../Message",
    ] {
        let malformed = Session {
            id: id.into(),
            ..unknown.clone()
        };
        let problem = app
            .verify(&malformed, "123456")
            .await
            .problem(400, "invalid_request");
        assert_eq!(problem["field"], "session_uuid");
    }
    assert_eq!(app.simulator().calls().validate, 0);
}

#[actix_web::test]
async fn one_callers_wrong_codes_use_up_no_checks_of_anothers() {
    let app = TestApp::start().await;
    let one = app.sent("+14155550123").await;
    app.advance(Duration::from_secs(31));
    let other = app.sent("+14155550123").await;
    for _ in 0..5 {
        app.verify(&one, &one.wrong_otp())
            .await
            .problem(400, "otp_incorrect");
    }
    assert_eq!(app.session(&other).await.ok()["checks_left"], 5);
    app.verify(&other, &other.otp).await.ok();
}

#[actix_web::test]
async fn fifty_right_codes_at_once_are_one_success() {
    let app = TestApp::start_with(&[("CHECKS_PER_SESSION", "10")]).await;
    let session = app.sent("+14155550123").await;
    let answers = join_all((0..50).map(|_| app.verify(&session, &session.otp))).await;
    let verified = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(verified, 1);
    assert!(answers.iter().all(|answer| answer.status < 500));
}

#[actix_web::test]
async fn two_hundred_wrong_codes_at_once_reach_upstream_five_times() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    let wrong = session.wrong_otp();
    let answers = join_all((0..200).map(|_| app.verify(&session, &wrong))).await;
    assert!(
        answers
            .iter()
            .all(|answer| [400, 429].contains(&answer.status))
    );
    assert_eq!(app.simulator().calls().validate, 5);
}
