//! Another request under a known key may be an attempt to guess the code.

use std::time::Duration;

use serde_json::json;

use super::{KEY, keyed, keyed_at, start_behind_proxy};
use crate::app::TestApp;

#[actix_web::test]
async fn codes_cannot_be_guessed_through_a_key() {
    let app = TestApp::start().await;
    let session = app.sent("+14155550123").await;
    let body = |otp: &str| json!({"session_uuid": session.id, "otp": otp});
    let right = body(&session.otp);
    let first = keyed(&app, "/api/otp/verify", KEY, &right).await;
    first.ok();
    let wrong = body(&session.wrong_otp());
    for _ in 0..5 {
        // As long as bodies are compared, the key's own request is answered.
        let again = keyed(&app, "/api/otp/verify", KEY, &right).await;
        assert_eq!(again.text, first.text);
        keyed(&app, "/api/otp/verify", KEY, &wrong)
            .await
            .problem(422, "idempotency_key_reused");
    }
    for guess in [&wrong, &right] {
        keyed(&app, "/api/otp/verify", KEY, guess)
            .await
            .problem(422, "idempotency_key_reused");
    }
    assert_eq!(app.simulator().calls().validate, 1);
}

#[actix_web::test]
async fn a_guess_through_a_key_counts_as_a_check_by_its_address() {
    let app = start_behind_proxy(&[("LIMIT_CHECKS_PER_ADDRESS", "3/10m")]).await;
    let session = app.sent("+14155550123").await;
    let right = json!({"session_uuid": session.id, "otp": session.otp});
    let wrong = json!({"session_uuid": session.id, "otp": session.wrong_otp()});
    let other = app.sent("+14155550124").await;
    let elsewhere = json!({"session_uuid": other.id, "otp": other.otp});
    let verify = async |address, body| keyed_at(&app, address, "/api/otp/verify", body).await;
    let (owner, guesser) = ("203.0.113.1", "203.0.113.2");
    let first = verify(owner, &right).await;
    first.ok();
    for _ in 0..3 {
        verify(guesser, &wrong)
            .await
            .problem(422, "idempotency_key_reused");
    }
    let problem = verify(guesser, &wrong).await.problem(429, "rate_limited");
    assert_eq!(problem["retry_after"], 600);
    // The limit holds for both sessions; refused requests use up no check of the session.
    verify(guesser, &elsewhere)
        .await
        .problem(429, "rate_limited");
    // An identical repetition is not a check: more than three of them are answered.
    for _ in 0..4 {
        assert_eq!(verify(owner, &right).await.text, first.text);
    }
    verify(owner, &elsewhere).await.ok();
}

#[actix_web::test]
async fn another_body_under_the_key_of_a_send_or_resend_counts_as_a_check_too() {
    for (path, guesser) in [
        // A send's key is scoped to its own caller.
        ("/api/otp/send", "203.0.113.1"),
        ("/api/otp/resend", "203.0.113.2"),
    ] {
        let app = start_behind_proxy(&[("LIMIT_CHECKS_PER_ADDRESS", "3/10m")]).await;
        let session = app.sent("+14155550123").await;
        app.advance(Duration::from_secs(30));
        let asked = if path == "/api/otp/send" {
            json!({"recipient": "+14155550124"})
        } else {
            json!({"session_uuid": session.id})
        };
        let mut guess = asked.clone();
        guess["channel"] = json!("voice");
        let mine = "203.0.113.1";
        let first = keyed_at(&app, mine, path, &asked).await;
        first.ok();
        for _ in 0..3 {
            keyed_at(&app, guesser, path, &guess)
                .await
                .problem(422, "idempotency_key_reused");
        }
        let problem = keyed_at(&app, guesser, path, &guess).await;
        assert_eq!(problem.problem(429, "rate_limited")["retry_after"], 600);
        let check = json!({"session_uuid": session.id, "otp": session.otp});
        keyed_at(&app, guesser, "/api/otp/verify", &check)
            .await
            .problem(429, "rate_limited");
        // An identical repetition does not count.
        assert_eq!(keyed_at(&app, mine, path, &asked).await.text, first.text);
        keyed_at(&app, "203.0.113.3", "/api/otp/verify", &check)
            .await
            .ok();
    }
}
