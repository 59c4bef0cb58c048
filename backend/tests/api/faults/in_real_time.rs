//! Timeouts and recovery, measured in real time.

use std::time::{Duration, Instant};

use countersign_test_support::hostile::{Fault, Hostile};
use futures_util::future::join_all;

use super::{JSON, app_at, number};
use crate::app::{TestApp, TestStore, until};

#[actix_web::test]
#[ignore = "long"]
async fn a_silent_plivo_times_out() {
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
async fn no_request_takes_longer_than_ten_seconds_if_the_store_hangs_too() {
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

/// Prints the time from the end of each fault to the first success.
#[actix_web::test]
#[ignore = "long"]
async fn the_service_recovers_by_itself_within_seconds() {
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
        // Until the breaker is open, and a little longer.
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
        // Refused sends are not counted, so the number may stay the same.
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
