//! `docs/privacy.md` says for each kind of row how long it is kept: held to what a service
//! with the default settings stores.

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use countersign_backend::config::variables::VARIABLES;
use reqwest::Method;
use rusqlite::Connection;
use serde_json::json;

use crate::{
    app::{TestApp, TestStore},
    applications::{ApplicationsFile, SEND, ask, asked, secret},
    store::bytes_of,
};

const PRIVACY: &str = include_str!("../../../docs/privacy.md");
const NUMBER: &str = "+14155550123";
const ADDRESS: &str = "203.0.113.7";
const USER: &str = "user-4711";

/// The longest time for each kind of row: the words in the table's last column, which are
/// added up where there are several.
const KEPT: [(&str, &[&str]); 14] = [
    ("session", &["10 minutes"]),
    ("ended", &["10 minutes", "an hour"]),
    ("number", &["a day"]),
    ("limit", &["a day"]),
    ("known", &["90 days"]),
    ("conversion", &["a week"]),
    ("decision", &["14 days"]),
    ("decisions", &["14 days"]),
    ("upstream", &["10 minutes", "an hour"]),
    ("idempotency", &["10 minutes"]),
    ("page", &["10 minutes", "15 more"]),
    ("single_use", &["10 minutes", "a minute"]),
    ("run", &["30 days"]),
    ("simulator", &["75 seconds"]),
];

/// The table's last column by kind of row.
fn documented() -> BTreeMap<&'static str, &'static str> {
    let rows = PRIVACY.lines().filter_map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, row, _, _, kept, _] = cells[..] else {
            return None;
        };
        Some((row.strip_prefix('`')?.split_once('/')?.0, kept))
    });
    rows.collect()
}

/// `10 minutes`, `an hour`; more of what was named before is in minutes.
fn duration(words: &str) -> Duration {
    let (count, unit) = words.split_once(' ').unwrap();
    let count = count.parse().unwrap_or(1);
    match unit.trim_end_matches('s') {
        "second" => Duration::from_secs(count),
        "minute" | "more" => Duration::from_mins(count),
        "hour" => Duration::from_hours(count),
        "day" => Duration::from_hours(24 * count),
        "week" => Duration::from_hours(7 * 24 * count),
        other => panic!("{other} is no unit of time"),
    }
}

/// Every row by its key, and how long from now it is kept.
fn kept_for(app: &TestApp) -> BTreeMap<String, Duration> {
    let path = app.store.directory().join("countersign.db");
    let file = Connection::open(path).unwrap();
    let mut rows = file.prepare("SELECT key, expires_at FROM row").unwrap();
    let now = app.clock_now().duration_since(UNIX_EPOCH).unwrap();
    // The store counts in milliseconds.
    let now = Duration::from_millis(u64::try_from(now.as_millis()).unwrap());
    let rows = rows.query_map((), |row| {
        let expires_at = Duration::from_millis(row.get::<_, i64>(1)?.unsigned_abs());
        Ok((row.get(0)?, expires_at.saturating_sub(now)))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// A service with the default settings, but those: a sandbox's limits are others.
async fn start(settings: &[(&str, &str)]) -> (TestApp, ApplicationsFile) {
    let file = ApplicationsFile::of(&[("shop", "return_urls = [\"https://shop.example/\"]")]);
    let defaults = VARIABLES.iter().filter_map(|variable| {
        let is_limit = variable.name.starts_with("LIMIT_");
        Some((variable.name, variable.default.filter(|_| is_limit)?))
    });
    let mut all: Vec<_> = defaults.collect();
    all.push(("APPLICATIONS_FILE", file.path()));
    all.push(("PUBLIC_URL", "https://verify.example.com"));
    all.extend(settings);
    (TestApp::start_in(TestStore::file(), &all).await, file)
}

/// Does everything that makes rows about a person. Answers what none of them shows.
async fn visit(app: &TestApp) -> Vec<String> {
    let user = json!({"address": ADDRESS, "id": USER});
    let page = json!({
        "recipient": NUMBER, "page": true, "return_to": "https://shop.example/", "end_user": user,
    });
    let begun = ask(app, "shop", SEND, &page).await.ok();
    let body = json!({"recipient": NUMBER, "end_user": user, "nonce": "a-nonce-of-ours"});
    let request =
        asked(app, "shop", SEND, &body).header("idempotency-key", "a-key-of-sixteen-or-more");
    let sent = app.call(request).await.ok();
    let otp = app.newest_otp(NUMBER).await;
    let check = json!({"session_uuid": sent["session_uuid"], "otp": otp, "end_user": user});
    let verified = ask(app, "shop", "/api/otp/verify", &check).await.ok();
    let proof = verified["proof"].as_str().unwrap();
    let consume = app
        .request(Method::POST, "/api/proofs/introspect")
        .bearer_auth(secret("shop"))
        .form(&[("token", proof), ("consume", "true")]);
    assert_eq!(app.call(consume).await.ok()["active"], true);
    // Decisions are written periodically.
    app.app.sweep().await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let page_id = text(&begun["page_url"]);
    let page_id = page_id.rsplit('=').next().unwrap();
    [
        &NUMBER[1..],
        ADDRESS,
        USER,
        "a-nonce-of-ours",
        page_id,
        proof,
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([text(&sent["session_uuid"])])
    .collect()
}

/// The longest time that a row is kept, by kind. The clock has stood still.
fn longest(app: &TestApp) -> BTreeMap<String, Duration> {
    let mut longest = BTreeMap::new();
    for (key, kept) in kept_for(app) {
        let (kind, _) = key.split_once('/').unwrap();
        let known = longest.entry(kind.to_owned()).or_insert(kept);
        *known = kept.max(*known);
    }
    longest
}

#[actix_web::test]
async fn each_kind_of_row_is_kept_as_long_as_the_document_says() {
    let (app, _file) = start(&[]).await;
    visit(&app).await;
    let expected: BTreeMap<String, Duration> = KEPT
        .iter()
        .map(|(kind, words)| {
            (
                (*kind).to_owned(),
                words.iter().copied().map(duration).sum(),
            )
        })
        .collect();
    assert_eq!(longest(&app), expected);
    let addresses = kept_for(&app);
    let addresses = addresses
        .iter()
        .filter(|(key, _)| key.contains("_per_address/"));
    let hour = addresses.map(|(_, kept)| *kept).max();
    assert_eq!(hour, Some(duration("an hour")), "of addresses");
}

#[test]
fn the_document_says_so() {
    let documented = documented();
    for (kind, words) in KEPT {
        let kept = documented
            .get(kind)
            .unwrap_or_else(|| panic!("{kind}/… in docs/privacy.md"));
        // What is kept longer than a session is said as what it is longer.
        let words = words.iter().skip(usize::from(
            kept.contains("longer") || kept.contains("lifetime and"),
        ));
        for word in words {
            assert!(kept.contains(word), "{kind}/… is kept for {word}: {kept}");
        }
    }
    // Stops hold nothing about a person, and stay until they are lifted. Charges are queued
    // for Plivo only, and have tests of their own.
    let others: Vec<_> = documented
        .keys()
        .filter(|kind| KEPT.iter().all(|(it, _)| it != *kind))
        .collect();
    assert_eq!(others, [&"charge", &"charge_queues", &"stops"]);
}

#[actix_web::test]
async fn the_variables_that_the_document_names_change_it() {
    let settings = [
        ("SESSION_LIFETIME", "5m"),
        ("KNOWN_NUMBERS_FOR", "30d"),
        ("DECISIONS_FOR", "off"),
        ("PROOF_LIFETIME", "1m"),
        ("LIMIT_SENDS_PER_NUMBER", "3/2d"),
    ];
    let (app, _file) = start(&settings).await;
    visit(&app).await;
    let longest = longest(&app);
    for (kind, words) in [
        ("session", "5 minutes"),
        ("known", "30 days"),
        ("single_use", "2 minutes"),
        ("number", "2 days"),
    ] {
        assert_eq!(longest.get(kind), Some(&duration(words)), "{kind}");
    }
    assert_eq!(longest.get("decision"), None);
}

#[actix_web::test]
async fn no_row_shows_what_it_is_about() {
    let (app, _file) = start(&[]).await;
    let private = visit(&app).await;
    let bytes = bytes_of(app.store.directory());
    for text in private {
        let is_shown = bytes.windows(text.len()).any(|it| it == text.as_bytes());
        assert!(!is_shown, "{text} is in the store");
    }
}
