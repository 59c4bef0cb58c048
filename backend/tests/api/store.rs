//! State in the SQLite file: failures of the store, and that it stores nothing in plain
//! text.

use std::{path::Path, time::Duration};

use rusqlite::Connection;

use crate::app::{TestApp, TestStore};

#[actix_web::test]
async fn while_the_store_is_locked_nothing_is_sent_or_accepted() {
    let app = TestApp::start_in(TestStore::file(), &[]).await;
    let session = app.sent("+14155550123").await;
    let calls = app.simulator().calls();
    // Steps have deadlines, so the clock must run.
    app.clock.run();
    let path = app.store.directory().join("countersign.db");
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (sent, verified, ready) = futures_util::join!(
        app.send("+14155550124"),
        app.verify(&session, &session.otp),
        app.get("/readyz"),
    );
    for answer in [sent, verified, ready] {
        let problem = answer.problem(503, "temporarily_unavailable");
        assert_eq!(problem["retry_after"], 5);
    }
    app.get("/healthz").await.ok();
    assert_eq!(app.simulator().calls().create, calls.create);
    assert_eq!(app.simulator().calls().validate, calls.validate);
    other.execute_batch("ROLLBACK").unwrap();
    app.send("+14155550124").await.ok();
    app.verify(&session, &session.otp).await.ok();
    app.get("/readyz").await.ok();
}

#[actix_web::test]
async fn while_the_file_is_missing_requests_are_refused() {
    let app = TestApp::start_in(TestStore::file(), &[]).await;
    let session = app.sent("+14155550123").await;
    let path = app.store.directory().join("countersign.db");
    let aside = app.store.directory().join("aside");
    std::fs::rename(&path, &aside).unwrap();
    for _ in 0..2 {
        app.send("+14155550124")
            .await
            .problem(503, "temporarily_unavailable");
        app.verify(&session, &session.otp)
            .await
            .problem(503, "temporarily_unavailable");
        // Another file in its place is not accepted either.
        std::fs::write(&path, "").unwrap();
    }
    assert_eq!(app.simulator().calls().create, 1);
    assert_eq!(app.simulator().calls().validate, 0);
    std::fs::rename(&aside, &path).unwrap();
    app.verify(&session, &session.otp).await.ok();
}

/// The content of all files in the directory, including the WAL and its index.
pub(crate) fn bytes_of(directory: &Path) -> Vec<u8> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries
        .flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

#[actix_web::test]
async fn the_file_stores_no_number_code_session_id_or_address_in_plain_text() {
    let settings = [
        ("LIMIT_SENDS_PER_ADDRESS", "100/1h"),
        ("LIMIT_NUMBERS_PER_ADDRESS", "100/1h"),
        ("RESEND_WAITS", "1s"),
    ];
    let app = TestApp::start_in(TestStore::file(), &settings).await;
    let session = app.sent("+14155550123").await;
    app.verify(&session, &session.wrong_otp()).await;
    app.advance(Duration::from_secs(1));
    app.resend(&session).await.ok();
    let bytes = bytes_of(app.store.directory());
    assert!(bytes.len() > 4096);
    for secret in ["4155550123", "127.0.0.1", &session.otp, &session.id] {
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the file");
    }
}
