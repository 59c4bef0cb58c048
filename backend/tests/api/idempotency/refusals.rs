//! Refusals that count nothing: they claim no key, and write nothing.

use serde_json::{Value, json};

use super::{KEY, keyed};
use crate::app::{TestApp, TestStore};

/// Requests that are refused before anything is counted, with and without reading state.
fn refused(session: &str, gone: &str) -> [(&'static str, Value, &'static str); 9] {
    let send = |body| ("/api/otp/send", body);
    let unknown = "1110a4f8-094c-4cda-9f99-f9afb659047f";
    [
        (
            send(json!({"recipient": "+4915123456789"})),
            "country_not_allowed",
        ),
        (
            send(json!({"recipient": "+18005550199"})),
            "number_type_not_allowed",
        ),
        (
            send(json!({"recipient": "+14155550199", "channel": "whatsapp"})),
            "channel_not_available",
        ),
        (
            send(json!({"recipient": "4155550199"})),
            "recipient_invalid",
        ),
        (
            ("/api/otp/resend", json!({"session_uuid": unknown})),
            "session_not_found",
        ),
        (
            (
                "/api/otp/resend",
                json!({"session_uuid": session, "channel": "whatsapp"}),
            ),
            "channel_not_available",
        ),
        (
            (
                "/api/otp/verify",
                json!({"session_uuid": session, "otp": "12345"}),
            ),
            "invalid_request",
        ),
        (
            (
                "/api/otp/verify",
                json!({"session_uuid": unknown, "otp": "123456"}),
            ),
            "session_not_found",
        ),
        (
            (
                "/api/otp/verify",
                json!({"session_uuid": gone, "otp": "123456"}),
            ),
            "session_already_verified",
        ),
    ]
    .map(|((path, body), code)| (path, body, code))
}

/// A service with one open session, and one that has ended.
async fn with_sessions(store: TestStore) -> (TestApp, String, String) {
    let settings = [
        ("ALLOWED_COUNTRIES", "US,GB"),
        ("ALLOWED_CHANNELS", "sms,voice"),
    ];
    let app = TestApp::start_in(store, &settings).await;
    let session = app.sent("+14155550123").await;
    let gone = app.sent("+14155550124").await;
    app.verify(&gone, &gone.otp).await.ok();
    (app, session.id, gone.id)
}

#[actix_web::test]
async fn a_refusal_that_counts_nothing_claims_no_key() {
    let (app, session, gone) = with_sessions(TestStore::usual()).await;
    for (index, (path, body, code)) in refused(&session, &gone).into_iter().enumerate() {
        let key = format!("key-of-a-refused-request-{index}");
        for _ in 0..2 {
            let answer = keyed(&app, path, &key, &body).await;
            assert_eq!(answer.json()["code"], code, "{body}");
        }
        // None of them claimed the key: another request may use it.
        let other = match path {
            "/api/otp/send" => json!({"recipient": format!("+1415555013{index}")}),
            "/api/otp/resend" => json!({"session_uuid": session, "channel": "voice"}),
            _ => json!({"session_uuid": body["session_uuid"], "otp": "654321"}),
        };
        let answer = keyed(&app, path, &key, &other).await;
        assert_ne!(answer.status, 422, "{body}: {}", answer.text);
    }
    // A wrong code was counted: it is one check, however often it is repeated.
    let body = json!({"session_uuid": session, "otp": "000000"});
    let left = keyed(&app, "/api/otp/verify", KEY, &body).await;
    let again = keyed(&app, "/api/otp/verify", KEY, &body).await;
    left.problem(400, "otp_incorrect");
    assert_eq!(left.json()["checks_left"], again.json()["checks_left"]);
}

/// Counts writes, as reported by the Redis server or the file.
struct Writes(Option<rusqlite::Connection>);

impl Writes {
    fn of(store: &TestStore) -> Self {
        Self(match store {
            TestStore::File(directory) => {
                let path = directory.path().join("countersign.db");
                Some(rusqlite::Connection::open(path).unwrap())
            }
            TestStore::Redis(..) => None,
        })
    }

    fn count(&self, app: &TestApp) -> i64 {
        match (&self.0, &app.store) {
            // It changes with each commit of another connection.
            (Some(file), _) => file
                .query_row("PRAGMA data_version", [], |row| row.get(0))
                .unwrap(),
            (None, TestStore::Redis(server, _)) => {
                let info: String = server.command(&["INFO", "persistence"]);
                let name = "rdb_changes_since_last_save:";
                let mut lines = info.lines();
                let count = lines.find_map(|line| line.strip_prefix(name));
                count.unwrap().parse().unwrap()
            }
            (None, TestStore::File(_)) => unreachable!("a file is open"),
        }
    }
}

#[actix_web::test]
async fn a_refusal_that_counts_nothing_writes_nothing() {
    let (app, session, gone) = with_sessions(TestStore::usual()).await;
    let writes = Writes::of(&app.store);
    for (index, (path, body, code)) in refused(&session, &gone).into_iter().enumerate() {
        let before = writes.count(&app);
        for round in 0..10 {
            let key = format!("key-of-a-refused-request-{index}-{round}");
            let answer = keyed(&app, path, &key, &body).await;
            assert_eq!(answer.json()["code"], code, "{body}");
        }
        assert_eq!(writes.count(&app), before, "{body}");
    }
}

#[actix_web::test]
async fn a_refusal_for_an_ended_session_writes_nothing() {
    let settings = [
        ("ALLOWED_CHANNELS", "sms,voice"),
        // The test makes more checks than the limit allows.
        ("LIMIT_CHECKS_PER_ADDRESS", "off"),
    ];
    let app = TestApp::start_with(&settings).await;
    let writes = Writes::of(&app.store);
    let verified = app.sent("+14155550123").await;
    app.verify(&verified, &verified.otp).await.ok();
    let exhausted = app.sent("+14155550124").await;
    for _ in 0..5 {
        app.verify(&exhausted, &exhausted.wrong_otp()).await;
    }
    let refuses = async |round: &str, session: &str, code: &str| {
        let check = json!({"session_uuid": session, "otp": "123456"});
        let resend = json!({"session_uuid": session});
        let call = json!({"session_uuid": session, "channel": "voice"});
        let before = writes.count(&app);
        for (index, (path, body)) in [
            ("/api/otp/verify", check),
            ("/api/otp/resend", resend),
            ("/api/otp/resend", call),
        ]
        .into_iter()
        .enumerate()
        {
            for again in 0..3 {
                let key = format!("key-of-a-session-that-is-{round}-{index}-{again}");
                let answer = keyed(&app, path, &key, &body).await;
                assert_eq!(answer.json()["code"], code, "{body}: {}", answer.text);
            }
            assert_eq!(writes.count(&app), before, "{path} {body}");
        }
    };
    refuses("over", &verified.id, "session_already_verified").await;
    refuses("exhausted", &exhausted.id, "checks_exhausted").await;
    app.advance(std::time::Duration::from_mins(10));
    refuses("expired", &verified.id, "session_expired").await;
    // Repeated, and also for a session whose rows the store may have removed.
    refuses("long-expired", &exhausted.id, "session_expired").await;
    app.advance(std::time::Duration::from_hours(1));
    refuses("forgotten", &exhausted.id, "session_not_found").await;
}
