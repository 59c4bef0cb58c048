//! Plivo on its bad days: what the caller hears, what was given back, and that
//! the service goes on.

use std::time::{Duration, Instant};

use countersign_backend::config::variables;
use countersign_test_support::{
    hostile::{Fault, Hostile, OTP},
    plivo,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, TestApp, TestStore, until};

const JSON: &str = "content-type: application/json\r\n";

/// With every limit off but those of a number, and the metrics served.
async fn app_at(hostile: &Hostile, settings: &[(&str, &str)]) -> TestApp {
    let mut all: Vec<(&str, &str)> = variables::VARIABLES
        .iter()
        .filter(|variable| variable.name.starts_with("LIMIT_"))
        .map(|variable| (variable.name, "off"))
        .collect();
    all.extend([
        ("LIMIT_SENDS_PER_NUMBER", "3/10m"),
        ("METRICS_ADDR", "127.0.0.1:0"),
    ]);
    all.extend(settings);
    TestApp::start_live(&hostile.base_url(), &all).await
}

fn number(index: usize) -> String {
    format!("+1415555{:04}", 100 + index)
}

fn bomb() -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![b'0'; 10_000_000];
    packed.write_all(br#"{"session_uuid":"8e712097-"#).unwrap();
    packed.write_all(&zeros).unwrap();
    packed.finish().unwrap()
}

/// What a caller hears; `None` is a success.
type Heard = Option<(u16, &'static str)>;

/// Each fault, and what its caller hears.
fn matrix() -> Vec<(&'static str, Fault, Heard)> {
    let bad = Some((502, "upstream_error"));
    let created = plivo::CREATE_202.as_bytes();
    // Right in all but its size.
    let large = [created, &vec![b' '; 10_000_000]].concat();
    let packed = format!("{JSON}content-encoding: gzip\r\n");
    let away = format!("{JSON}location: http://127.0.0.1:1/\r\n");
    vec![
        ("latency", Fault::Late(Duration::from_millis(200)), None),
        ("jitter", Fault::Jitter(Duration::from_millis(50)), None),
        ("slicing", Fault::Sliced, None),
        (
            "slow close",
            Fault::SlowClose(Duration::from_millis(200)),
            None,
        ),
        ("reset", Fault::Reset, bad),
        ("half-close", Fault::HalfClose, bad),
        ("cut in the head", Fault::Cut(30), bad),
        ("cut in the body", Fault::Cut(120), bad),
        ("garbage", Fault::Bytes(vec![0x16, 3, 1, 0, 200, 1]), bad),
        (
            "a page",
            Fault::answer("200 OK", "content-type: text/html\r\n", created),
            bad,
        ),
        ("nothing", Fault::answer("200 OK", JSON, b""), bad),
        ("no type", Fault::answer("202 Accepted", "", created), bad),
        ("10 MB", Fault::answer("200 OK", JSON, &large), bad),
        ("a bomb", Fault::answer("200 OK", &packed, &bomb()), bad),
        (
            "a redirect",
            Fault::answer("307 Temporary Redirect", &away, b"{}"),
            bad,
        ),
        ("500", Fault::answer("500 Oh", JSON, b"{}"), bad),
        ("401", Fault::answer("401 No", JSON, b"{}"), bad),
        (
            "429",
            Fault::answer("429 Slower", JSON, b"{}"),
            Some((503, "temporarily_unavailable")),
        ),
    ]
}

fn hold(what: &str, answer: &Answer, expected: Heard) {
    match expected {
        None => assert_eq!(answer.status, 200, "{what}: {}", answer.text),
        Some((status, code)) => {
            assert_eq!(answer.status, status, "{what}: {}", answer.text);
            answer.problem(status, code);
            for word in ["Plivo", "html", "reqwest", "hyper"] {
                assert!(!answer.text.contains(word), "{what}: {}", answer.text);
            }
        }
    }
}

#[actix_web::test]
async fn a_send_meets_each_fault_once_and_counts_and_the_next_one_passes() {
    for (what, fault, expected) in matrix() {
        let hostile = Hostile::start(fault);
        let app = app_at(&hostile, &[]).await;
        hold(what, &app.send(&number(0)).await, expected);
        hostile.does(Fault::None);
        // Past the pause of a Plivo that throttles.
        app.advance(Duration::from_secs(5));
        // Something may have left: the number's wait stands, and it was one call.
        let again = app.send(&number(0)).await;
        hold(what, &again, Some((429, "rate_limited")));
        assert_eq!(hostile.creates(), 1, "{what}");
        hold(what, &app.send(&number(1)).await, None);
    }
}

#[actix_web::test]
async fn a_check_meets_each_fault_once_and_is_used_up() {
    for (what, fault, expected) in matrix() {
        let hostile = Hostile::start(Fault::None);
        let app = app_at(&hostile, &[]).await;
        let sent = app.send(&number(0)).await.ok();
        let check = json!({"session_uuid": sent["session_uuid"], "otp": OTP});
        hostile.does(fault);
        let first = app.post("/api/otp/verify", &check).await;
        assert_eq!(hostile.validates(), 1, "{what}");
        // Whether a code is right is said by Plivo's own words only, which a body
        // meant for a send does not have.
        hold(what, &first, expected);
        hostile.does(Fault::None);
        // As above.
        app.advance(Duration::from_secs(5));
        let second = app.post("/api/otp/verify", &check).await;
        if expected.is_none() {
            second.problem(409, "session_already_verified");
        } else {
            assert_eq!(second.ok()["verified"], true, "{what}");
            let id = sent["session_uuid"].as_str().unwrap();
            let seen = app.get(&format!("/api/otp/sessions/{id}")).await.ok();
            assert_eq!(seen["checks_left"], 3, "{what}");
        }
    }
}

#[actix_web::test]
async fn what_never_left_is_tried_again_a_little_and_given_back() {
    let mut hostile = Hostile::start(Fault::None);
    let app = app_at(&hostile, &[]).await;
    let sent = app.send(&number(0)).await.ok();
    hostile.down().await;
    app.send(&number(1))
        .await
        .problem(503, "temporarily_unavailable");
    let check = json!({"session_uuid": sent["session_uuid"], "otp": OTP});
    app.post("/api/otp/verify", &check)
        .await
        .problem(503, "temporarily_unavailable");
    // Two repetitions each.
    assert!(app.has("countersign_upstream_retries_total 4").await);
    hostile.up();
    app.send(&number(1)).await.ok();
    app.post("/api/otp/verify", &check).await.ok();
    assert_eq!((hostile.creates(), hostile.validates()), (2, 1));
}

#[actix_web::test]
async fn a_plivo_that_fails_is_left_alone_tried_by_one_and_asked_again() {
    let hostile = Hostile::start(Fault::answer("500 Oh", JSON, b"{}"));
    let app = app_at(&hostile, &[]).await;
    for index in 0..5 {
        app.send(&number(index))
            .await
            .problem(502, "upstream_error");
    }
    assert!(
        app.has("countersign_upstream_breaker_state{state=\"open\"} 1")
            .await
    );
    let started = Instant::now();
    let refused = app.send(&number(9)).await;
    assert!(started.elapsed() < Duration::from_millis(500));
    let problem = refused.problem(503, "temporarily_unavailable");
    assert_eq!(problem["retry_after"], 5);
    assert_eq!(hostile.creates(), 5);

    // Half open: one is tried, and hangs; the others hear so at once.
    hostile.does(Fault::Silent);
    app.advance(Duration::from_secs(5));
    let (first, second) = (number(9), number(8));
    let tried = app.send(&first);
    let others = async {
        until("one is tried", || hostile.creates() == 6).await;
        let sends = join_all((0..20).map(|_| app.send(&second))).await;
        for other in sends {
            other.problem(503, "temporarily_unavailable");
        }
        assert!(
            app.has("countersign_upstream_breaker_state{state=\"half_open\"} 1")
                .await
        );
        hostile.end_connections();
    };
    let (tried, ()) = futures_util::join!(tried, others);
    tried.problem(502, "upstream_error");
    assert_eq!(hostile.creates(), 6);

    // Open again, for as long; then all is well, and nothing was counted for those
    // who were refused.
    hostile.does(Fault::None);
    app.send(&second)
        .await
        .problem(503, "temporarily_unavailable");
    app.advance(Duration::from_secs(5));
    app.send(&second).await.ok();
    app.send(&number(7)).await.ok();
    assert!(
        app.has("countersign_upstream_breaker_state{state=\"closed\"} 1")
            .await
    );
    app.get("/readyz").await.ok();
}

#[actix_web::test]
async fn wrong_codes_and_refused_numbers_leave_the_breaker_closed() {
    let hostile = Hostile::start(Fault::None);
    let app = app_at(&hostile, &[("CHECKS_PER_SESSION", "10")]).await;
    let sent = app.send(&number(0)).await.ok();
    let check = json!({"session_uuid": sent["session_uuid"], "otp": "654321"});
    for _ in 0..10 {
        let answer = app.post("/api/otp/verify", &check).await;
        assert!([400, 429].contains(&answer.status), "{}", answer.text);
    }
    let refused = br#"{"error":"recipient is invalid"}"#;
    hostile.does(Fault::answer("400 No", JSON, refused));
    for index in 1..10 {
        let answer = app.send(&number(index)).await;
        answer.problem(400, "recipient_invalid");
    }
    hostile.does(Fault::None);
    app.send(&number(11)).await.ok();
    assert_eq!(hostile.validates(), 10);
}

#[actix_web::test]
async fn a_pause_that_plivo_names_is_kept_by_all() {
    let throttle = Fault::answer("429 Slower", &format!("{JSON}retry-after: 7\r\n"), b"{}");
    let hostile = Hostile::start(throttle);
    let app = app_at(&hostile, &[]).await;
    for index in 0..3 {
        let answer = app.send(&number(index)).await;
        let problem = answer.problem(503, "temporarily_unavailable");
        assert_eq!(problem["retry_after"], 7);
    }
    assert_eq!(hostile.creates(), 1);
    hostile.does(Fault::None);
    app.advance(Duration::from_secs(7));
    // Of those that were not sent, nothing was counted.
    app.send(&number(1)).await.ok();
    app.send(&number(2)).await.ok();
}

#[actix_web::test]
async fn a_pause_that_plivo_does_not_name_is_five_seconds() {
    let hostile = Hostile::start(Fault::answer("429 Slower", JSON, b"{}"));
    let app = app_at(&hostile, &[]).await;
    for index in 0..3 {
        let answer = app.send(&number(index)).await;
        let problem = answer.problem(503, "temporarily_unavailable");
        assert_eq!(problem["retry_after"], 5);
    }
    assert_eq!(hostile.creates(), 1);
    hostile.does(Fault::None);
    app.advance(Duration::from_secs(5));
    app.send(&number(1)).await.ok();
}

#[actix_web::test]
async fn a_flood_of_sends_that_hang_leaves_room_for_checks() {
    let hostile = Hostile::start(Fault::None);
    let app = app_at(&hostile, &[("PLIVO_CALLS_AT_ONCE", "5")]).await;
    let sent = app.send(&number(0)).await.ok();
    hostile.does(Fault::Silent);
    let flood = join_all((1..5).map(|index| {
        let (app, number) = (&app, number(index));
        async move { app.send(&number).await }
    }));
    let meanwhile = async {
        until("four hang", || hostile.creates() == 5).await;
        let started = Instant::now();
        let refused = app.send(&number(9)).await;
        let problem = refused.problem(503, "temporarily_unavailable");
        assert_eq!(problem["retry_after"], 1);
        assert!(started.elapsed() < Duration::from_millis(500));
        hostile.does(Fault::None);
        let check = json!({"session_uuid": sent["session_uuid"], "otp": OTP});
        app.post("/api/otp/verify", &check).await.ok();
        assert!(
            app.has("countersign_refusals_total{rule=\"upstream_full\"} 1")
                .await
        );
        hostile.end_connections();
    };
    let (flood, ()) = futures_util::join!(flood, meanwhile);
    for answer in flood {
        answer.problem(502, "upstream_error");
    }
    // Given back: nothing of it was counted.
    app.send(&number(9)).await.ok();
    assert_eq!(hostile.creates(), 6);
}

/// Real time from here on.
#[actix_web::test]
#[ignore = "long"]
async fn who_waits_for_a_silent_plivo_hears_so_in_time() {
    for fault in [
        Fault::Silent,
        Fault::Late(Duration::from_secs(30)),
        Fault::SlowClose(Duration::from_secs(30)),
    ] {
        let hostile = Hostile::start(fault.clone());
        let app = app_at(&hostile, &[]).await;
        let started = Instant::now();
        app.send(&number(0)).await.problem(504, "upstream_timeout");
        let took = started.elapsed().as_secs_f64();
        assert!((7.5..8.5).contains(&took), "{fault:?}: {took}");
        assert_eq!(hostile.creates(), 1);
    }
}

#[actix_web::test]
#[ignore = "long"]
async fn nobody_waits_longer_than_ten_seconds_where_the_store_hangs_too() {
    let hostile = Hostile::start(Fault::Late(Duration::from_millis(7500)));
    let settings = [("LIMIT_REQUESTS_PER_ADDRESS", "off")];
    let app = TestApp::start_live_in(TestStore::file(), &hostile.base_url(), &settings).await;
    let path = app.store.directory().join("countersign.db");
    let started = Instant::now();
    let number = number(0);
    let sent = app.send(&number);
    let hold_up = async {
        until("it is asked", || hostile.creates() == 1).await;
        let other = rusqlite::Connection::open(path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        other
    };
    let (sent, _held) = futures_util::join!(sent, hold_up);
    assert!([503, 504].contains(&sent.status), "{}", sent.text);
    let took = started.elapsed().as_secs_f64();
    assert!(took < 10.5, "{took}");
}

/// Prints how long it takes from the end of each fault to the first success.
#[actix_web::test]
#[ignore = "long"]
async fn the_service_recovers_by_itself_and_says_how_fast() {
    let down: Option<Fault> = None;
    for (what, fault) in [
        ("down", down),
        ("silent", Some(Fault::Silent)),
        ("reset", Some(Fault::Reset)),
        ("500", Some(Fault::answer("500 Oh", JSON, b"{}"))),
        ("garbage", Some(Fault::Bytes(vec![0, 1, 2]))),
    ] {
        let mut hostile = Hostile::start(Fault::None);
        let app = app_at(&hostile, &[]).await;
        app.clock.run();
        match &fault {
            Some(fault) => hostile.does(fault.clone()),
            None => hostile.down().await,
        }
        // Until the breaker is open, and for a while after.
        let callers = (0..20).map(|index| {
            let (app, number) = (&app, number(index));
            async move { app.send(&number).await.status }
        });
        let failed = join_all(callers).await;
        assert!(failed.iter().all(|status| *status >= 500), "{failed:?}");
        let sample = Instant::now();
        app.send(&number(20)).await;
        let refused_in = sample.elapsed();
        if fault.is_none() {
            hostile.up();
        }
        hostile.does(Fault::None);
        let started = Instant::now();
        // Who is refused is not counted, so it may be the same number each time.
        while app.send(&number(21)).await.status != 200 {
            assert!(started.elapsed() < Duration::from_secs(20), "{what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!(
            "{what:<8} refused in {:>4} ms, recovered in {:>5} ms",
            refused_in.as_millis(),
            started.elapsed().as_millis()
        );
        assert!(started.elapsed() < Duration::from_secs(6), "{what}");
    }
}

/// Everything that a client may leave undone, and a normal caller among them.
#[actix_web::test]
async fn a_slow_head_is_not_waited_for() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let app = TestApp::start().await;
    let mut socket = tokio::net::TcpStream::connect(app.app.address())
        .await
        .unwrap();
    socket.write_all(b"GET /healthz HTT").await.unwrap();
    let started = Instant::now();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.ok();
    let took = started.elapsed().as_secs_f64();
    assert!((4.0..7.0).contains(&took), "{took}");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "));
    let get = app.call(app.request(Method::GET, "/healthz")).await;
    get.ok();
}
