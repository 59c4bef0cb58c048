//! State in Redis: failures of the server, and that it stores nothing in plain text.

use std::time::Duration;

use crate::app::{Session, TestApp, TestStore};

async fn start() -> TestApp {
    TestApp::start_in(TestStore::new_redis(), &[]).await
}

/// Sends and checks are refused, Plivo is not called, and the process stays alive.
async fn serves_nothing(app: &TestApp, session: &Session) {
    let calls = app.simulator().calls();
    let (sent, verified, ready) = futures_util::join!(
        app.send("+14155550124"),
        app.verify(session, &session.otp),
        app.get("/readyz"),
    );
    for answer in [sent, verified, ready] {
        let problem = answer.problem(503, "temporarily_unavailable");
        assert_eq!(problem["retry_after"], 5);
    }
    app.get("/healthz").await.ok();
    assert_eq!(app.simulator().calls().create, calls.create);
    assert_eq!(app.simulator().calls().validate, calls.validate);
}

#[actix_web::test]
async fn while_the_server_is_down_requests_are_refused() {
    let mut app = start().await;
    let session = app.sent("+14155550123").await;
    app.store.redis().kill();
    serves_nothing(&app, &session).await;
    app.store.redis().start_again();
    app.get("/readyz").await.ok();
    app.send("+14155550125").await.ok();
    // It restarted empty.
    app.verify(&session, &session.otp)
        .await
        .problem(404, "session_not_found");
}

#[actix_web::test]
async fn a_restarted_server_is_reconnected() {
    let mut app = start().await;
    app.send("+14155550123").await.ok();
    app.store.redis().start_again();
    // The closed connection is noticed, at the latest on its next use.
    let answers = [app.get("/readyz").await, app.get("/readyz").await];
    assert_eq!(answers[1].status, 200);
    app.send("+14155550123").await.ok();
}

#[actix_web::test]
async fn while_the_server_hangs_requests_are_refused() {
    let mut app = start().await;
    let session = app.sent("+14155550123").await;
    app.store.redis().freeze();
    serves_nothing(&app, &session).await;
    app.store.redis().thaw();
    app.verify(&session, &session.otp).await.ok();
    // Refused requests are not executed later.
    app.send("+14155550124").await.ok();
}

#[actix_web::test]
async fn a_server_set_to_evict_keys_is_not_ready() {
    let mut app = start().await;
    let server = app.store.redis();
    let () = server.command(&["CONFIG", "SET", "maxmemory", "100mb"]);
    let () = server.command(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    app.get("/readyz")
        .await
        .problem(503, "temporarily_unavailable");
}

#[actix_web::test]
async fn while_the_server_is_full_requests_are_refused() {
    let mut app = start().await;
    let session = app.sent("+14155550123").await;
    let () = app
        .store
        .redis()
        .command(&["CONFIG", "SET", "maxmemory", "1"]);
    serves_nothing(&app, &session).await;
    let () = app
        .store
        .redis()
        .command(&["CONFIG", "SET", "maxmemory", "0"]);
    app.verify(&session, &session.otp).await.ok();
    app.send("+14155550124").await.ok();
}

#[actix_web::test]
async fn while_the_server_is_a_replica_requests_are_refused() {
    let mut app = start().await;
    let session = app.sent("+14155550123").await;
    let () = app.store.redis().command(&["REPLICAOF", "127.0.0.1", "1"]);
    serves_nothing(&app, &session).await;
    let () = app.store.redis().command(&["REPLICAOF", "NO", "ONE"]);
    app.verify(&session, &session.otp).await.ok();
    app.send("+14155550124").await.ok();
}

#[actix_web::test]
async fn overwritten_rows_fail_their_requests() {
    let mut app = start().await;
    let session = app.sent("+14155550123").await;
    let server = app.store.redis();
    for key in server.keys() {
        let _: i64 = server.command(&["DEL", &key]);
        let () = server.command(&["SET", &key, "garbage"]);
    }
    app.verify(&session, &session.otp)
        .await
        .problem(503, "temporarily_unavailable");
    app.send("+14155550123")
        .await
        .problem(503, "temporarily_unavailable");
}

#[actix_web::test]
async fn the_server_stores_no_number_code_session_id_or_address_in_plain_text() {
    let settings = [
        ("LIMIT_SENDS_PER_ADDRESS", "100/1h"),
        ("LIMIT_NUMBERS_PER_ADDRESS", "100/1h"),
        ("RESEND_WAITS", "1s"),
    ];
    let mut app = TestApp::start_in(TestStore::new_redis(), &settings).await;
    let session = app.sent("+14155550123").await;
    app.verify(&session, &session.wrong_otp()).await;
    app.advance(Duration::from_secs(1));
    app.resend(&session).await.ok();
    let dump = app.store.redis().dump();
    assert!(dump.windows(13).any(|window| window == b"{countersign}"));
    for secret in ["4155550123", "127.0.0.1", &session.otp, &session.id] {
        let found = dump
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the dump");
    }
    // The encrypted number expires with the session.
    let server = app.store.redis();
    for key in server.keys() {
        let left: i64 = server.command(&["PTTL", &key]);
        assert!(left > 0, "{key} has no end");
        if key.contains("session/") {
            assert!(left <= 600_000, "{key} outlives its session");
        }
    }
}
