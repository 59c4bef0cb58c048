//! State in its file: what outlives the service, what stops the start, what a
//! store that fails means, and what the file never shows.

use std::{path::Path, time::Duration};

use countersign_backend::{
    config::Config,
    store::{Vault, key_file, sqlite::SqliteStore},
};
use rusqlite::Connection;

use crate::app::{TestApp, TestStore};

fn rules() -> countersign_backend::config::Rules {
    Config::read(|name| (name == "PLIVO_MODE").then(|| "sandbox".to_owned()))
        .unwrap()
        .rules
}

fn opened(path: &Path, vault: &Vault) -> Result<(), String> {
    SqliteStore::open(path, vault.clone(), rules(), None)
        .map(drop)
        .map_err(|error| error.to_string())
}

#[test]
fn a_file_that_is_not_fit_stops_the_start_with_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::new(&Vault::random_key()).unwrap();
    let path = |name: &str| directory.path().join(name);

    std::fs::write(path("text.db"), "not a database at all, but long enough").unwrap();
    let refusal = opened(&path("text.db"), &vault).unwrap_err();
    assert!(
        refusal.ends_with("text.db is damaged or no SQLite file"),
        "{refusal}"
    );

    let other = Connection::open(path("foreign.db")).unwrap();
    other
        .execute_batch("CREATE TABLE t (x); PRAGMA application_id = 7")
        .unwrap();
    drop(other);
    let refusal = opened(&path("foreign.db"), &vault).unwrap_err();
    assert!(
        refusal.ends_with("is the database of another program"),
        "{refusal}"
    );

    assert_eq!(opened(&path("ours.db"), &vault), Ok(()));
    assert_eq!(opened(&path("ours.db"), &vault), Ok(()));
    let other_key = Vault::new(&Vault::random_key()).unwrap();
    let refusal = opened(&path("ours.db"), &other_key).unwrap_err();
    assert!(refusal.starts_with("SECRET_KEY: "), "{refusal}");

    let newer = Connection::open(path("ours.db")).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let refusal = opened(&path("ours.db"), &vault).unwrap_err();
    assert!(
        refusal.ends_with("written by a newer version of this program"),
        "{refusal}"
    );

    assert_eq!(opened(&path("torn.db"), &vault), Ok(()));
    let bytes = std::fs::read(path("torn.db")).unwrap();
    std::fs::write(path("torn.db"), &bytes[..bytes.len() / 2]).unwrap();
    let refusal = opened(&path("torn.db"), &vault).unwrap_err();
    assert!(
        refusal.ends_with("is damaged or no SQLite file"),
        "{refusal}"
    );

    std::fs::create_dir(path("folder.db")).unwrap();
    let refusal = opened(&path("folder.db"), &vault).unwrap_err();
    assert!(refusal.starts_with("STORE_URL: ") && refusal.lines().count() == 1);
}

/// How each version of the file came to be.
const VERSIONS: [&str; 4] = [
    include_str!("../../src/store/sqlite/schema.sql"),
    include_str!("../../src/store/sqlite/schema_2.sql"),
    include_str!("../../src/store/sqlite/schema_3.sql"),
    include_str!("../../src/store/sqlite/schema_4.sql"),
];

#[test]
fn a_file_of_any_older_version_is_brought_up_to_date_with_its_sessions() {
    for version in 1..=VERSIONS.len() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("countersign.db");
        let older = Connection::open(&path).unwrap();
        older.execute_batch(&VERSIONS[..version].concat()).unwrap();
        let rows = "INSERT INTO session VALUES
            (x'01', x'02', x'03', 'theirs', 'pending', 'sms', 'sms 5', 4, 7000, 9000),
            (x'04', NULL, NULL, '', 'verified', 'sms', '', 5, 6000, 8000),
            (x'05', x'02', x'03', '', 'reserved', 'sms', '', 5, 7000, 7000)";
        older.execute_batch(rows).unwrap();
        let mark = format!("PRAGMA application_id = 1668507502; PRAGMA user_version = {version}");
        older.execute_batch(&mark).unwrap();
        drop(older);

        let vault = Vault::new(&Vault::random_key()).unwrap();
        assert_eq!(opened(&path, &vault), Ok(()));
        let file = Connection::open(&path).unwrap();
        let kept = "SELECT group_concat(concat_ws(' ', hex(id), hex(person), upstream_id,
                    checks_left, expires_at, forget_at), ';') FROM session";
        let kept: String = file.query_row(kept, [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "04   5 6000 8000;01 03 theirs 4 7000 7000");
        for table in [
            "number",
            "uses",
            "conversion",
            "spent_proof",
            "upstream",
            "charges",
        ] {
            assert!(
                file.table_exists(None, table).unwrap(),
                "{version}: {table}"
            );
        }
    }
}

#[test]
fn processes_that_start_at_once_share_one_file_and_one_key() {
    for _ in 0..8 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data/countersign.db");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let key = key_file::read_or_make(&path).unwrap();
                    let opened = opened(&path, &Vault::new(&key).unwrap());
                    assert_eq!(opened, Ok(()));
                });
            }
        });
    }
}

#[actix_web::test]
async fn a_store_that_is_held_up_sends_nothing_accepts_nothing_and_recovers() {
    let app = TestApp::start_in(TestStore::file(), &[]).await;
    let session = app.sent("+14155550123").await;
    let calls = app.simulator().calls();
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
async fn a_file_that_was_taken_away_serves_nothing() {
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
        // Another one in its place is not it either.
        std::fs::write(&path, "").unwrap();
    }
    assert_eq!(app.simulator().calls().create, 1);
    assert_eq!(app.simulator().calls().validate, 0);
    std::fs::rename(&aside, &path).unwrap();
    app.verify(&session, &session.otp).await.ok();
}

/// Everything in the directory: the file, its log, its index.
fn bytes_of(directory: &Path) -> Vec<u8> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries
        .flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

#[actix_web::test]
async fn the_file_shows_no_number_no_code_no_name_and_no_address() {
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
