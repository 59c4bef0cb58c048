use std::{sync::Arc, time::Duration};

use countersign_shared::{Channel, session::SessionStatus};

use super::world::{World, claim, destination, plivo, reserved};
use crate::{
    Answer, ConversionRule, Repetition, Sealed, SessionOver, Settlement, Verdict,
    conversion::ConversionRow,
    keys,
    transitions::{
        CallbackOutcome, CloseSend, KeepAnswer, RecordCallback, RecordResent, Recorded,
        ReleaseSend, ReserveResend, ReserveSend, Reserved, ViewSession,
    },
};

fn view(session: &str) -> ViewSession {
    ViewSession {
        session: keys::session(session),
    }
}

fn has_adopted(outcome: &CallbackOutcome) -> bool {
    matches!(
        outcome,
        CallbackOutcome::Recorded {
            has_adopted: true,
            ..
        }
    )
}

fn counting() -> World {
    World::with_rules(|rules| {
        rules.conversion = Some(ConversionRule {
            floor: 20,
            min_per_country: Some(30.try_into().unwrap()),
            min_per_range: Some(30.try_into().unwrap()),
            grace: Duration::from_mins(3),
            cooldown: Duration::from_mins(30),
            enforced: true,
        });
    })
}

/// What the country's row counts, as debug text.
fn counted(world: &World) -> String {
    let row = &world.rows[&destination().country];
    let row = <ConversionRow as crate::Row>::decode(&row.value).unwrap();
    format!("{row:?}")
}

#[test]
fn a_lost_send_becomes_a_session_that_can_be_verified() {
    let mut world = counting();
    world.reserved("one", "number");
    assert_eq!(world.run(&view("one")), Err(SessionOver::NotFound));
    world.advance(9);
    let callback = world.callback("nonce", "plivo", "number");
    assert!(has_adopted(&world.run(&callback)));
    let session = world.run(&view("one")).unwrap();
    assert_eq!(session.status, SessionStatus::Pending);
    assert_eq!(session.upstream, plivo("plivo"));
    assert_eq!(session.expires_in(), Duration::from_secs(591));
    assert_eq!(session.deliveries.len(), 1);
    assert!(counted(&world).contains(", 1, 0)"), "{}", counted(&world));
    let settled = reserved(world.check("one", Verdict::Accepted));
    assert_eq!(settled, Settlement::Verified);
    assert!(counted(&world).contains(", 1, 1)"), "{}", counted(&world));
}

#[test]
fn plivos_answer_after_a_callback_is_not_recorded_twice() {
    let mut world = counting();
    let reservation = world.reserved("one", "number");
    let callback = world.callback("nonce", "plivo", "number");
    assert!(has_adopted(&world.run(&callback)));
    let record = world.record_sent(("one", "number"), "plivo", &reservation);
    let Recorded::Sent { session, .. } = world.run(&record) else {
        panic!("it is not recorded")
    };
    assert_eq!(session.deliveries.len(), 1);
    assert!(counted(&world).contains(", 1, 0)"));
    // Neither does a later callback, or a repeated one.
    let repeated = world.run(&callback);
    assert_eq!(repeated, CallbackOutcome::Repeated);
    let later = world.callback("later", "plivo", "number");
    assert!(!has_adopted(&world.run(&later)));
    assert_eq!(world.run(&view("one")).unwrap().deliveries.len(), 1);
    // If the callback was about another of Plivo's sessions, Plivo's answer takes
    // precedence.
    world.advance(30);
    let reservation = world.reserved("two", "number");
    let lie = world.callback("lie", "stale", "number");
    assert!(has_adopted(&world.run(&lie)));
    let record = world.record_sent(("two", "number"), "fresh", &reservation);
    world.run(&record);
    let session = world.run(&view("two")).unwrap();
    assert_eq!(
        (session.upstream, session.deliveries.len()),
        (plivo("fresh"), 1)
    );
}

#[test]
fn a_callback_about_somebody_else_or_another_channel_adopts_nothing() {
    let mut world = World::new();
    world.reserved("two", "number");
    // About another number.
    let other = world.callback("other", "theirs", "another");
    assert!(!has_adopted(&world.run(&other)));
    // About one of Plivo's sessions that belongs to another number.
    world.sent("three", "another", "theirs");
    let foreign = world.callback("foreign", "theirs", "number");
    assert_eq!(world.run(&foreign), CallbackOutcome::OtherRecipient);
    // About another channel.
    let mut call = world.callback("call", "new", "number");
    call.update.attempt.channel = Channel::Voice;
    assert!(!has_adopted(&world.run(&call)));
    // Without naming a number.
    let nobody = RecordCallback {
        recipient: None,
        ..world.callback("nobody", "plivo", "number")
    };
    assert!(!has_adopted(&world.run(&nobody)));
    assert_eq!(world.run(&view("two")), Err(SessionOver::NotFound));
}

#[test]
fn plivos_session_adopts_sends_while_its_code_is_valid() {
    let mut world = World::with_rules(|rules| rules.session_lifetime = Duration::from_mins(10));
    world.sent("one", "number", "plivo");
    world.advance(30);
    world.reserved("two", "number");
    // Plivo added the second send to the session of the first; a callback about either
    // one shows that.
    let first = world.callback("first", "plivo", "number");
    assert!(has_adopted(&world.run(&first)));
    // Its code is used: a late callback is about the past.
    reserved(world.check("two", Verdict::Accepted));
    world.advance(60);
    world.reserved("three", "number");
    let late = world.callback("late", "plivo", "number");
    assert!(!has_adopted(&world.run(&late)));
    let fresh = world.callback("fresh", "next", "number");
    assert!(has_adopted(&world.run(&fresh)));
    // Its time is over, unless an attempt is new.
    world.advance(600);
    world.reserved("four", "number");
    let late = world.callback("later", "next", "number");
    assert!(!has_adopted(&world.run(&late)));
    let mut new = world.callback("new", "next", "number");
    new.update.index = 1;
    assert!(has_adopted(&world.run(&new)));
}

#[test]
fn neither_a_released_nor_an_expired_send_is_adopted() {
    let mut world = World::new();
    let reservation = world.reserved("one", "number");
    let release = ReleaseSend {
        reservation,
        rules: world.rules.clone(),
    };
    world.run(&release);
    let callback = world.callback("nonce", "plivo", "number");
    assert!(!has_adopted(&world.run(&callback)));
    world.reserved("two", "number");
    world.advance(600);
    let callback = world.callback("later", "plivo", "number");
    assert!(!has_adopted(&world.run(&callback)));
    assert_eq!(world.run(&view("two")), Err(SessionOver::NotFound));
}

#[test]
fn a_lost_resend_brings_plivos_new_session() {
    let mut world = World::new();
    world.sent("one", "number", "first");
    world.advance(30);
    let step = ReserveResend {
        application: None,
        session: keys::session("one"),
        channel: Channel::Sms,
        limits: world.send_limits("number", Channel::Sms),
        at_once: false,
        claim: None,
        request_id: "another request".to_owned(),
        rules: world.rules.clone(),
    };
    let reservation = Arc::new(reserved(world.run(&step)));
    let callback = world.callback("nonce", "second", "number");
    assert!(has_adopted(&world.run(&callback)));
    let session = world.run(&view("one")).unwrap();
    assert_eq!(session.upstream, plivo("second"));
    assert_eq!(session.deliveries.len(), 2);
    let record = RecordResent {
        upstream: plivo("second"),
        reservation,
        rules: world.rules.clone(),
    };
    world.run(&record);
    assert_eq!(world.run(&view("one")).unwrap().deliveries.len(), 2);
}

#[test]
fn a_repetition_of_a_lost_send_finds_the_adopted_session() {
    for is_failure_kept in [false, true] {
        let mut world = World::new();
        let step = ReserveSend {
            claim: Some(claim("key", "body")),
            ..world.reserve_send("one", "number")
        };
        let reservation = reserved(world.run(&step));
        if is_failure_kept {
            let (claim, claimed_at) = reservation.claim().unwrap();
            let keep = KeepAnswer {
                claim: claim.clone(),
                claimed_at,
                answer: Answer::Sealed(Sealed(b"timeout".to_vec())),
            };
            world.run(&keep);
        }
        world.advance(60);
        let callback = world.callback("nonce", "plivo", "number");
        assert!(has_adopted(&world.run(&callback)));
        let Reserved::Repeated(Repetition::Answered { answer, subject }) = world.run(&step) else {
            panic!("the answer is not found")
        };
        assert_eq!(subject, claim("key", "body").subject);
        let session = world.run(&view("one")).unwrap();
        let Answer::Sent(sent) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(sent.expires_at, session.expires_at);
        assert_eq!(sent.next_at, reservation.next_at);
    }
}

#[test]
fn a_callback_advances_its_attempt_once_and_frees_the_turn_to_poll() {
    let mut world = World::new();
    world.sent("one", "number", "plivo");
    let turn = crate::transitions::PollTurn {
        upstream: keys::upstream("plivo"),
        interval: Duration::from_secs(20),
        rules: world.rules.clone(),
    };
    assert!(world.run(&turn).is_turn);
    assert!(!world.run(&turn).is_turn);
    let mut callback = world.callback("nonce", "plivo", "number");
    callback.update.attempt.status = countersign_shared::session::AttemptStatus::Delivered;
    let changes = |outcome| match outcome {
        CallbackOutcome::Recorded { changes, .. } => changes,
        other => panic!("{other:?}"),
    };
    let arrived = crate::DeliveryChange {
        channel: Channel::Sms,
        status: countersign_shared::session::AttemptStatus::Delivered,
        request_id: Some("a request".to_owned()),
    };
    assert_eq!(changes(world.run(&callback)), [arrived]);
    let poll = world.run(&turn);
    assert!(poll.is_turn);
    assert_eq!(poll.attempts, [callback.update.attempt]);
    callback.nonce = keys::single_use("again");
    assert_eq!(changes(world.run(&callback)), []);
}

#[test]
fn one_callback_adopts_every_lost_send_and_a_released_one_leaves_no_trace() {
    let mut world = counting();
    world.reserved("one", "number");
    world.advance(30);
    let step = ReserveSend {
        claim: Some(claim("key", "body")),
        ..world.reserve_send("two", "number")
    };
    let second = Arc::new(reserved(world.run(&step)));
    let callback = world.callback("nonce", "plivo", "number");
    assert!(has_adopted(&world.run(&callback)));
    for session in ["one", "two"] {
        assert_eq!(world.run(&view(session)).unwrap().upstream, plivo("plivo"));
    }
    assert!(counted(&world).contains(", 2, 0)"), "{}", counted(&world));
    // The second one never left: only the first stays a session.
    let release = ReleaseSend {
        reservation: second,
        rules: world.rules.clone(),
    };
    world.run(&release);
    assert_eq!(world.run(&view("two")), Err(SessionOver::NotFound));
    assert!(world.run(&view("one")).is_ok());
    assert!(!world.rows.contains_key(&keys::idempotency("key")));
    assert!(counted(&world).contains(", 1, 0)"), "{}", counted(&world));
}

#[test]
fn a_send_that_never_left_keeps_its_key_if_its_adopted_session_is_verified() {
    for is_refused in [false, true] {
        let mut world = World::new();
        world.reserved("one", "number");
        world.advance(30);
        let step = ReserveSend {
            claim: Some(claim("key", "body")),
            ..world.reserve_send("two", "number")
        };
        let reservation = Arc::new(reserved(world.run(&step)));
        let callback = world.callback("nonce", "plivo", "number");
        assert!(has_adopted(&world.run(&callback)));
        world.check("two", Verdict::Accepted);
        let rules = world.rules.clone();
        if is_refused {
            world.run(&CloseSend {
                reservation,
                answer: None,
                may_retry: true,
                rules,
            });
        } else {
            world.run(&ReleaseSend { reservation, rules });
        }
        let session = world.run(&view("two")).unwrap();
        assert_eq!(session.status, SessionStatus::Verified);
        let found = world.run(&step);
        let Reserved::Repeated(Repetition::Answered { answer, .. }) = found else {
            panic!("{found:?}")
        };
        assert!(matches!(answer, Answer::Sent(_)), "{answer:?}");
    }
}

#[test]
fn no_callback_adopts_a_send_that_plivo_refused() {
    for is_adopted_before in [false, true] {
        let mut world = counting();
        world.sent("one", "number", "plivo");
        world.advance(30);
        let step = ReserveSend {
            claim: Some(claim("key", "body")),
            ..world.reserve_send("two", "number")
        };
        let reservation = Arc::new(reserved(world.run(&step)));
        if is_adopted_before {
            let callback = world.callback("early", "plivo", "number");
            assert!(has_adopted(&world.run(&callback)));
        }
        let answer = Answer::Sealed(Sealed(b"refused".to_vec()));
        let close = CloseSend {
            reservation,
            answer: Some(answer.clone()),
            may_retry: false,
            rules: world.rules.clone(),
        };
        world.run(&close);
        let callback = world.callback("late", "plivo", "number");
        assert!(!has_adopted(&world.run(&callback)));
        assert_eq!(world.run(&view("two")), Err(SessionOver::NotFound));
        assert!(counted(&world).contains(", 1, 0)"), "{}", counted(&world));
        let found = world.run(&step);
        let Reserved::Repeated(Repetition::Answered { answer: kept, .. }) = found else {
            panic!("{found:?}")
        };
        assert_eq!(kept, answer);
        // It stays counted.
        let next = world.run(&world.reserve_send("three", "number"));
        assert!(matches!(next, Reserved::Wait(_)), "{next:?}");
    }
}
