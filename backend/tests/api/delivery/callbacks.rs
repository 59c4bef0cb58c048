//! Plivo's callbacks, and their authentication.

use std::time::Duration;

use plivo_simulator::signature;
use proptest::{prelude::*, strategy::ValueTree};
use reqwest::Method;
use serde_json::{Value, json};

use super::{PUBLIC_URL, TOKEN, World};
use crate::app::TestApp;

#[actix_web::test]
async fn a_callback_is_confirmed_with_plivo() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    assert_eq!(world.attempt(&session).await["status"], "queued");
    let asked = world.simulator.calls().retrieve;
    // Between callbacks there is no polling.
    world.app.advance(Duration::from_secs(5));
    world.attempt(&session).await;
    assert_eq!(world.simulator.calls().retrieve, asked);
    let answer = world.call("1", &world.form(1, "sent", "")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(world.attempt(&session).await["status"], "sent");
    assert_eq!(world.simulator.calls().retrieve, asked + 1);
    world.call("2", &world.form(1, "delivered", "")).await;
    assert_eq!(world.attempt(&session).await["status"], "delivered");
    // The status never moves back, and a repetition with a new nonce is accepted.
    for (nonce, status) in [
        ("3", "sent"),
        ("4", "queued"),
        ("5", "undelivered"),
        ("6", "delivered"),
    ] {
        assert_eq!(
            world.call(nonce, &world.form(1, status, "")).await.status,
            200
        );
        assert_eq!(world.attempt(&session).await["status"], "delivered");
    }
}

#[actix_web::test]
async fn the_reason_of_a_failed_delivery_is_reported_unless_it_was_fraud() {
    for (error_code, reason) in [
        ("20", json!("unreachable")),
        ("450", json!("country_barred")),
        ("452", Value::Null),
        ("", Value::Null),
    ] {
        let world = World::start(&[]).await;
        let session = world.sent().await;
        world
            .call("1", &world.form(1, "undelivered", error_code))
            .await;
        let attempt = world.attempt(&session).await;
        assert_eq!(attempt["status"], "undelivered");
        assert_eq!(attempt["reason"], reason, "{error_code}");
    }
}

#[actix_web::test]
async fn after_a_failed_message_a_call_skips_the_backoff_but_counts() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    let call = json!({"session_uuid": session.id, "channel": "voice"});
    let early = world.app.post("/api/otp/resend", &call).await;
    assert_eq!(early.problem(429, "rate_limited")["retry_after"], 30);
    world.call("1", &world.form(1, "undelivered", "20")).await;
    let seen = world.app.session(&session).await.ok();
    assert_eq!(seen["next_actions"][0], "change_channel");
    // A resend over the same channel still has to wait.
    world
        .app
        .resend(&session)
        .await
        .problem(429, "rate_limited");
    let called = world.app.post("/api/otp/resend", &call).await.ok();
    assert_eq!(
        (&called["channel"], &called["resend_in"]),
        (&json!("voice"), &json!(60))
    );
    world.app.verify(&session, &session.otp).await.ok();
}

#[actix_web::test]
async fn every_form_of_signature_is_accepted() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    let url = world.told().0;
    let form = world.form(1, "delivered", "");
    let v2 = signature::v2(TOKEN, &url, "1");
    let headers = [
        ("x-plivo-signature-ma-v2", v2.as_str()),
        ("x-plivo-signature-v2-nonce", "1"),
    ];
    assert_eq!(world.post(&form, &headers).await.status, 200);
    let v3 = signature::v3_post(TOKEN, &url, &form, "2");
    let headers = [
        ("x-plivo-signature-v3", v3.as_str()),
        ("x-plivo-signature-v3-nonce", "2"),
    ];
    assert_eq!(world.post(&form, &headers).await.status, 200);
    // As a GET request.
    let query = serde_json::to_value(&form).unwrap();
    let pairs: Vec<String> = query
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            format!(
                "{}={}",
                pair[0].as_str().unwrap(),
                pair[1].as_str().unwrap()
            )
        })
        .collect();
    let url = format!("{url}?{}", pairs.join("&"));
    let v3 = signature::v3_get(TOKEN, &url, "3");
    let request = world
        .app
        .request(Method::GET, &url.replace(PUBLIC_URL, ""))
        .header("x-plivo-signature-v3", v3)
        .header("x-plivo-signature-v3-nonce", "3");
    assert_eq!(world.app.call(request).await.status, 200);
    assert_eq!(world.attempt(&session).await["status"], "delivered");
}

#[actix_web::test]
async fn a_forged_or_replayed_callback_changes_nothing() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    let form = world.form(1, "delivered", "");
    let url = world.told().0;
    let right = signature::v2(TOKEN, &url, "1");
    for headers in [
        vec![],
        vec![("x-plivo-signature-v2", right.as_str())],
        vec![
            ("x-plivo-signature-v2", right.as_str()),
            ("x-plivo-signature-v2-nonce", "2"),
        ],
        vec![
            ("x-plivo-signature-v2", "AAAA"),
            ("x-plivo-signature-v2-nonce", "1"),
        ],
        vec![
            ("x-plivo-signature-v3", right.as_str()),
            ("x-plivo-signature-v3-nonce", "1"),
        ],
    ] {
        world
            .post(&form, &headers)
            .await
            .problem(403, "callback_rejected");
    }
    let strange = signature::v2("another_token", &url, "1");
    let headers = [
        ("x-plivo-signature-v2", strange.as_str()),
        ("x-plivo-signature-v2-nonce", "1"),
    ];
    world
        .post(&form, &headers)
        .await
        .problem(403, "callback_rejected");
    // Signed, but with unknown values, or too old.
    for (name, value) in [
        ("Channel", "pigeon"),
        ("AttemptSequence", "0"),
        ("SessionUUID", "../x"),
        ("RequestTime", "2001-01-01 10:00:00.123456"),
        ("RequestTime", "2099-01-01 10:00:00.123456"),
    ] {
        let mut form = form.clone();
        form.retain(|(field, _)| field != name);
        form.push((name.to_owned(), value.to_owned()));
        world
            .call("3", &form)
            .await
            .problem(403, "callback_rejected");
    }
    assert_eq!(world.attempt(&session).await["status"], "queued");
    // A replay of the same callback, also after an hour and more.
    assert_eq!(world.call("4", &form).await.status, 200);
    for _ in 0..3 {
        world
            .call("4", &form)
            .await
            .problem(403, "callback_rejected");
        world.app.advance(Duration::from_mins(59));
    }
    // Any other path is not found, and without a public URL there is none.
    let other = format!("{}0", world.path());
    let request = world.app.request(Method::POST, &other).form(&form);
    world.app.call(request).await.problem(404, "not_found");
    let app = TestApp::start().await;
    let request = app.request(Method::POST, &world.path()).form(&form);
    app.call(request).await.problem(404, "not_found");
}

#[actix_web::test]
async fn reordered_and_repeated_callbacks_end_in_the_same_status() {
    let world = World::start(&[]).await;
    let session = world.sent().await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let orders = Just(vec!["queued", "sent", "sent", "delivered", "delivered"]).prop_shuffle();
    for round in 0..10 {
        let order = orders.new_tree(&mut runner).unwrap().current();
        for (index, status) in order.iter().enumerate() {
            let nonce = format!("{round}-{index}");
            assert_eq!(
                world.call(&nonce, &world.form(1, status, "")).await.status,
                200
            );
        }
        assert_eq!(
            world.attempt(&session).await["status"],
            "delivered",
            "{order:?}"
        );
    }
}
