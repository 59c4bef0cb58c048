//! Plivo's charges are collected for every session, watched or not.

use std::time::Duration;

use crate::spend::{bill, costs, number, remaining, start};

#[actix_web::test]
async fn the_charges_of_sessions_that_nobody_watches_are_collected() {
    let app = start(&[("SPEND_CAP", "100/1d")]).await;
    for index in 0..20 {
        let session = app.sent(&number(index)).await;
        if index % 3 == 0 {
            app.verify(&session, &session.otp).await.ok();
        } else if index % 5 == 0 {
            app.advance(Duration::from_secs(1));
            app.resend(&session).await.ok();
        }
    }
    // An hour and a half, a minute at a time; a few sessions are polled each minute.
    for _ in 0..90 {
        app.advance(Duration::from_mins(1));
        app.app.sweep().await;
    }
    let text = app.metrics().await;
    let bill = bill(app.simulator());
    assert!(!bill.is_empty());
    assert_eq!(costs(&text, "spend_charged"), bill);
    // The charges have replaced the expected prices in the cap.
    let total: u64 = bill.values().sum();
    assert_eq!(
        remaining(&text, "1day"),
        100_000_000 - i64::try_from(total).unwrap()
    );
    let expected = "countersign_cost_per_verified_microdollars{country=\"US\"} ";
    assert!(text.contains(expected), "{text}");
    // Each session was polled a few times, and no more.
    let asked = app.simulator().calls().retrieve;
    assert!(asked <= 24 * 4, "{asked}");
    app.advance(Duration::from_hours(24));
    app.app.sweep().await;
    assert_eq!(app.simulator().calls().retrieve, asked);
}

#[actix_web::test]
async fn plivo_is_not_asked_more_often_than_its_limits_allow() {
    let app = start(&[("LIMIT_REQUESTS_PER_ADDRESS", "off")]).await;
    for index in 0..30 {
        app.sent(&number(index)).await;
    }
    let before = app.simulator().calls().retrieve;
    app.advance(Duration::from_mins(3));
    app.app.sweep().await;
    let asked = app.simulator().calls().retrieve - before;
    // The service itself may have polled in between.
    assert!((5..=15).contains(&asked), "{asked}");
}
