//! Every kind of faulty answer, to a send and to a check.

use std::time::Duration;

use countersign_test_support::{
    hostile::{Fault, Hostile, OTP},
    plivo,
};
use serde_json::json;

use super::{JSON, app_at, number};
use crate::app::Answer;

fn bomb() -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![b'0'; 10_000_000];
    packed.write_all(br#"{"session_uuid":"8e712097-"#).unwrap();
    packed.write_all(&zeros).unwrap();
    packed.finish().unwrap()
}

/// The error that the caller receives; `None` for a success.
type Received = Option<(u16, &'static str)>;

/// Each fault, and the answer to its caller.
fn matrix() -> Vec<(&'static str, Fault, Received)> {
    let bad = Some((502, "upstream_error"));
    let created = plivo::CREATE_202.as_bytes();
    // Valid except for its size.
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

fn assert_answer(what: &str, answer: &Answer, expected: Received) {
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
async fn a_faulty_send_is_not_retried_counts_and_leaves_the_next_one_alone() {
    for (what, fault, expected) in matrix() {
        let hostile = Hostile::start(fault);
        let app = app_at(&hostile, &[]).await;
        assert_answer(what, &app.send(&number(0)).await, expected);
        hostile.does(Fault::None);
        // Until the pause for throttling is over.
        app.advance(Duration::from_secs(5));
        // The request may have left: the number's backoff stands, and there was only one
        // call.
        let again = app.send(&number(0)).await;
        assert_answer(what, &again, Some((429, "rate_limited")));
        assert_eq!(hostile.creates(), 1, "{what}");
        assert_answer(what, &app.send(&number(1)).await, None);
    }
}

#[actix_web::test]
async fn a_faulty_check_is_not_retried_and_is_used_up() {
    for (what, fault, expected) in matrix() {
        let hostile = Hostile::start(Fault::None);
        let app = app_at(&hostile, &[]).await;
        let sent = app.send(&number(0)).await.ok();
        let check = json!({"session_uuid": sent["session_uuid"], "otp": OTP});
        hostile.does(fault);
        let first = app.post("/api/otp/verify", &check).await;
        assert_eq!(hostile.validates(), 1, "{what}");
        // Only Plivo's own words say that a code is right, and an answer meant for a send
        // does not contain them.
        assert_answer(what, &first, expected);
        hostile.does(Fault::None);
        // Until the pause for throttling is over.
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
