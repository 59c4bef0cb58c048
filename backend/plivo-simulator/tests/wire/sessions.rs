//! Creates: one session and one code for a number, and what a body may say.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::{Plivo, to};

#[tokio::test]
async fn a_recipient_has_one_session_and_one_code_while_it_lives() {
    let plivo = Plivo::start();
    let first = plivo.create(&to("+14155550123")).await;
    let otp = plivo.otp();
    plivo.simulator.advance(Duration::from_mins(9));
    let again = json!({"recipient": "14155550123", "channel": "voice"});
    assert_eq!(plivo.create(&again).await, first);
    assert_eq!(plivo.otp(), otp);
    let session = plivo.session(&first).await;
    assert_eq!(
        (&session["count"], &session["channel"]),
        (&json!(2), &json!("voice"))
    );
    // The expiry is counted from the first create.
    plivo.simulator.advance(Duration::from_mins(1));
    assert_eq!(plivo.session(&first).await["status"], "expired");
    assert_eq!(
        plivo.validate(&first, &otp).await.1["error"],
        "session expired"
    );
    assert_ne!(plivo.create(&to("+14155550123")).await, first);
}

#[tokio::test]
async fn parallel_creates_for_a_recipient_are_one_session() {
    let plivo = Plivo::start_with(|settings| settings.max_attempts = 50);
    let body = to("+14155550123");
    let ids = join_all((0..50).map(|_| plivo.create(&body))).await;
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(plivo.session(&ids[0]).await["count"], 50);
}

#[tokio::test]
async fn bodies_are_read_as_the_sdks_write_them() {
    let plivo = Plivo::start();
    let id = plivo
        .create(&json!({
            "recipient": 14_155_550_123_u64, "channel": "", "method": null, "locale": "",
            "code_length": 0, "app_uuid": null, "zebra": 1
        }))
        .await;
    let number: u64 = plivo.otp().parse().unwrap();
    if plivo.otp().starts_with('0') {
        // As a number it lost its zero, and codes are texts.
        assert_eq!(
            plivo
                .post(&format!("{id}/"), &json!({"OTP": number}))
                .await
                .0,
            400
        );
    } else {
        assert_eq!(
            plivo
                .post(&format!("{id}/"), &json!({"OTP": number}))
                .await
                .0,
            200
        );
    }
    let body_on_get = plivo.request(Method::GET, &format!("{id}/")).body("\"\"");
    assert_eq!(plivo.call(body_on_get).await.0, 200);
}

#[tokio::test]
async fn malformed_creates_are_named() {
    let plivo = Plivo::start_with(|settings| settings.channels = vec!["sms".into()]);
    for (body, error) in [
        (json!({}), "recipient is invalid"),
        (to("0000"), "recipient is invalid"),
        (to("+1 415 555 0123"), "recipient is invalid"),
        (
            json!({"recipient": "+14155550123", "channel": "email"}),
            "channel is invalid",
        ),
        (
            json!({"recipient": "+14155550123", "channel": "voice"}),
            "channel not enabled for application",
        ),
        (
            json!({"recipient": "+14155550123", "code_length": 9}),
            "code_length must be between 4 and 8",
        ),
        (
            json!({"recipient": "+14155550123", "url": "example.com"}),
            "url is invalid",
        ),
        (
            json!({"recipient": "+14155550123", "method": "PUT"}),
            "method is invalid",
        ),
        (json!([1]), "invalid JSON"),
    ] {
        plivo.refused(&body, 400, error).await;
    }
    let id = plivo.create(&to("+14155550123")).await;
    assert_eq!(
        plivo.post(&format!("{id}/"), &json!({})).await.1["error"],
        "otp is required"
    );
}

#[tokio::test]
async fn the_last_two_digits_steer_what_happens() {
    let plivo = Plivo::start();
    plivo
        .refused(&to("+14155550190"), 400, "Insufficient Credit")
        .await;
    plivo
        .refused(&to("+14155550195"), 429, "too many requests")
        .await;
    plivo
        .refused(&to("+14155550196"), 500, "internal server error")
        .await;
    assert_eq!(plivo.post("", &to("+14155550194")).await.0, 403);
    let garbage = plivo
        .request(Method::POST, "")
        .json(&to("+14155550198"))
        .send()
        .await
        .unwrap();
    assert_eq!(garbage.status(), 200);
    assert_eq!(garbage.headers()["content-type"], "text/html");
    let silent = plivo.request(Method::POST, "").json(&to("+14155550197"));
    let silence = silent.timeout(Duration::from_millis(200)).send().await;
    assert!(silence.unwrap_err().is_timeout());

    for (recipient, status, code, arrives) in [
        ("+14155550123", "delivered", "", true),
        ("+14155550191", "delivered", "", true),
        ("+14155550192", "undelivered", "20", false),
        ("+14155550193", "failed", "452", false),
    ] {
        let id = plivo.create(&to(recipient)).await;
        plivo.simulator.advance(Duration::from_mins(1));
        let attempt = &plivo.session(&id).await["attempt_details"][0];
        assert_eq!(attempt["status"], status, "{recipient} {code}");
        let messages = plivo.simulator.messages();
        assert_eq!(
            messages
                .iter()
                .any(|message| message.recipient == recipient),
            arrives
        );
    }
    let id = plivo.create(&to("+14155550199")).await;
    plivo.create(&to("+14155550199")).await;
    plivo.simulator.advance(Duration::from_mins(1));
    let attempts = &plivo.session(&id).await["attempt_details"];
    assert_eq!(
        (&attempts[0]["status"], &attempts[1]["status"]),
        (&json!("failed"), &json!("delivered"))
    );
}
