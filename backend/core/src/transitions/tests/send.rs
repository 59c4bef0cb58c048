use std::{sync::Arc, time::Duration};

use countersign_shared::{Channel, session::SessionStatus};
use proptest::prelude::*;

use super::world::{World, new_session, plivo, quota, reserved};
use crate::{
    Limits, Millis, SessionOver, keys,
    transitions::{
        RecordResent, Recorded, ReleaseSend, ReserveResend, Reserved, SendReservation, ViewSession,
    },
};

fn release(world: &World, reservation: &Arc<SendReservation>) -> ReleaseSend {
    ReleaseSend {
        reservation: reservation.clone(),
        rules: world.rules.clone(),
    }
}

fn resend(world: &World, session: &str, number: &str, channel: Channel) -> ReserveResend {
    ReserveResend {
        application: None,
        session: keys::session(session),
        channel,
        limits: world.send_limits(number, channel),
        at_once: false,
        claim: None,
        request_id: "another request".to_owned(),
        rules: world.rules.clone(),
    }
}

fn limits() -> Limits {
    Limits {
        sends_per_number: vec![quota(3, 600), quota(5, 3_600)],
        sends_per_address: vec![quota(6, 600)],
        numbers_per_address: vec![quota(3, 3_600)],
        sends_total: vec![quota(8, 1_800)],
        ..Limits::default()
    }
}

proptest! {
    /// Sends to a few numbers, some of them released: no limit is exceeded, according to
    /// a plain list; a caller who waits as long as reported is accepted; a refused send
    /// writes nothing.
    #[test]
    fn no_limit_is_exceeded(steps in prop::collection::vec((0..400_u64, 0..4_usize, 0..4_u8), 1..60)) {
        let mut world = World::with_rules(|rules| rules.resend_waits = vec![Duration::from_secs(20)]);
        world.limits = limits();
        // Time and number of the sends that count.
        let mut admitted: Vec<(u64, usize)> = Vec::new();
        for (index, (seconds, number, what)) in steps.into_iter().enumerate() {
            world.advance(seconds);
            let name = format!("number{number}");
            let step = world.reserve_send(&format!("session{index}"), &name);
            let before = world.rows.clone();
            match world.run(&step) {
                Reserved::Reserved(reservation) => {
                    let reservation = Arc::new(reservation);
                    if what == 0 {
                        let step = release(&world, &reservation);
                        world.run(&step);
                    } else {
                        admitted.push((world.now.0, number));
                    }
                }
                Reserved::Wait(wait) => {
                    prop_assert_eq!(world.written, 0);
                    prop_assert_eq!(&world.rows, &before);
                    let now = world.now;
                    let waited = u64::try_from(wait.retry_after.as_millis()).unwrap();
                    world.now = Millis(now.0 + waited - 1);
                    prop_assert!(matches!(world.run(&step), Reserved::Wait(_)));
                    world.now = Millis(now.0 + waited);
                    let reservation = Arc::new(reserved(world.run(&step)));
                    let step = release(&world, &reservation);
                    world.run(&step);
                }
                other => prop_assert!(false, "{other:?}"),
            }
            let now = world.now.0;
            let within = |seconds: u64| admitted.iter().filter(move |(at, _)| at + seconds * 1_000 > now);
            prop_assert!(within(1_800).count() <= 8);
            prop_assert!(within(600).count() <= 6);
            for one in 0..4 {
                prop_assert!(within(600).filter(|it| it.1 == one).count() <= 3);
                prop_assert!(within(3_600).filter(|it| it.1 == one).count() <= 5);
                let backoff = within(20).filter(|it| it.1 == one).count();
                prop_assert!(backoff <= 1);
            }
            let mut numbers: Vec<usize> = within(3_600).map(|it| it.1).collect();
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert!(numbers.len() <= 3);
        }
    }

    /// A release leaves the rows as they were before the reservation.
    #[test]
    fn a_released_send_leaves_no_trace(waits in prop::collection::vec(1..120_u64, 0..8)) {
        let mut world = World::with_rules(|rules| rules.session_lifetime = Duration::from_hours(1));
        world.limits = Limits {
            sends_per_number: vec![quota(50, 86_400), quota(6, 80_000)],
            sends_total: vec![quota(100, 86_400)],
            numbers_per_address: vec![quota(3, 86_400)],
            ..Limits::default()
        };
        for (index, seconds) in waits.into_iter().enumerate() {
            let step = world.reserve_send(&format!("session{index}"), ["number", "other"][index % 2]);
            world.run(&step);
            world.advance(seconds);
        }
        let before = world.rows.clone();
        let step = world.reserve_send("last", "number");
        if let Reserved::Reserved(reservation) = world.run(&step) {
            prop_assert_ne!(&world.rows, &before);
            let step = release(&world, &Arc::new(reservation));
            world.run(&step);
        }
        prop_assert_eq!(&world.rows, &before);
    }
}

#[test]
fn a_released_send_restores_every_row_and_frees_its_session() {
    let mut world = World::new();
    world.limits = limits();
    world.sent("one", "number", "plivo");
    world.advance(30);
    let before = world.rows.clone();
    let reservation = world.reserved("two", "number");
    assert_ne!(world.rows, before);
    let step = release(&world, &reservation);
    world.run(&step);
    assert_eq!(world.rows, before);
}

#[test]
fn a_later_send_keeps_its_wait_when_an_earlier_one_is_released() {
    let mut world = World::new();
    let first = world.reserved("one", "number");
    world.advance(30);
    let second = world.reserved("two", "number");
    let step = release(&world, &first);
    world.run(&step);
    let step = world.reserve_send("three", "number");
    let Reserved::Wait(wait) = world.run(&step) else {
        panic!("the second send's wait is gone")
    };
    assert_eq!(wait.retry_after, Duration::from_mins(1));
    assert_eq!(second.next_in(world.now), Duration::from_mins(1));
    let step = release(&world, &second);
    world.run(&step);
    // It is as if the second one had never been.
    let step = world.reserve_send("three", "number");
    assert!(matches!(world.run(&step), Reserved::Reserved(_)));
}

#[test]
fn a_recorded_send_is_a_session_that_ends_and_is_remembered_for_an_hour() {
    let mut world = World::new();
    let view = ViewSession {
        session: keys::session("one"),
    };
    let reservation = world.reserved("one", "number");
    assert_eq!(world.run(&view), Err(SessionOver::NotFound));
    world.advance(3);
    let step = world.record_sent(("one", "number"), "plivo", &reservation);
    let Recorded::Sent { session, .. } = world.run(&step) else {
        panic!("it is not recorded")
    };
    assert_eq!(session.status, SessionStatus::Pending);
    assert_eq!(session.checks_left, 5);
    assert_eq!(session.expires_in(), Duration::from_mins(10));
    assert_eq!(session.upstream, plivo("plivo"));
    assert_eq!(session.contact, new_session("one", "number").contact);
    assert_eq!(session.last_channel(), Channel::Sms);
    assert_eq!(session.deliveries.len(), 1);
    assert_eq!(
        reservation.next_in(session.seen_at),
        Duration::from_secs(27)
    );
    assert_eq!(world.run(&view), Ok(session));
    world.advance(600);
    assert_eq!(world.run(&view), Err(SessionOver::Expired));
    world.advance(3_599);
    assert_eq!(world.run(&view), Err(SessionOver::Expired));
    world.advance(1);
    assert_eq!(world.run(&view), Err(SessionOver::NotFound));
}

#[test]
fn one_of_plivos_sessions_for_two_numbers_is_refused() {
    let mut world = World::new();
    world.sent("one", "number", "plivo");
    let reservation = world.reserved("two", "other");
    let step = world.record_sent(("two", "other"), "plivo", &reservation);
    assert!(matches!(world.run(&step), Recorded::OtherRecipient));
    assert_eq!(world.written, 0);
    // For the same number this is what Plivo does while a code is valid.
    world.advance(30);
    world.sent("three", "number", "plivo");
    // On a resend too.
    world.advance(30);
    world.sent("four", "other", "theirs");
    world.advance(60);
    let step = resend(&world, "four", "other", Channel::Sms);
    let reservation = Arc::new(reserved(world.run(&step)));
    let record = |upstream| RecordResent {
        upstream: plivo(upstream),
        reservation: reservation.clone(),
        rules: world.rules.clone(),
    };
    let (foreign, ours) = (record("plivo"), record("new"));
    assert!(matches!(world.run(&foreign), Recorded::OtherRecipient));
    let Recorded::Sent { session, .. } = world.run(&ours) else {
        panic!("it is not recorded")
    };
    assert_eq!(
        (session.upstream, session.deliveries.len()),
        (plivo("new"), 2)
    );
}

#[test]
fn a_resend_needs_a_pending_session_of_its_number() {
    let mut world = World::new();
    let step = resend(&world, "one", "number", Channel::Sms);
    let over = |outcome| match outcome {
        Reserved::Over(over) => over,
        other => panic!("{other:?}"),
    };
    assert_eq!(over(world.run(&step)), SessionOver::NotFound);
    world.sent("one", "number", "plivo");
    let Reserved::Wait(wait) = world.run(&step) else {
        panic!("it does not wait")
    };
    assert_eq!(
        (wait.retry_after, wait.limit),
        (Duration::from_secs(30), None)
    );
    let at_once = ReserveResend {
        application: None,
        at_once: true,
        ..resend(&world, "one", "number", Channel::Voice)
    };
    assert!(matches!(world.run(&at_once), Reserved::Reserved(_)));
    world.advance(120);
    let other = resend(&world, "one", "other", Channel::Sms);
    assert_eq!(over(world.run(&other)), SessionOver::NotFound);
    world.check("one", crate::Verdict::Accepted);
    assert_eq!(over(world.run(&step)), SessionOver::AlreadyVerified);
    world.advance(600);
    assert_eq!(over(world.run(&step)), SessionOver::Expired);
}
