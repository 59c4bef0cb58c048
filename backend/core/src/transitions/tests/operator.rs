use std::{sync::Arc, time::Duration};

use super::world::{World, quota, reserved};
use crate::{
    ConversionRule, Key, Limit, LimitCheck, Limits, Stop, Use, Verdict, keys,
    transitions::{
        FreeNumber, LimitUsed, Recorded, ReleaseCheck, ReleaseSend, Reserved, SetStop, ViewNumber,
    },
};

fn free(world: &World, number: &str, forget: bool) -> FreeNumber {
    FreeNumber {
        number: keys::number(number),
        forget,
        rules: world.rules.clone(),
    }
}

fn set(world: &mut World, words: &[&str], is_stopped: bool) -> Vec<String> {
    let change = Stop::parse(words).map(|stop| (stop, is_stopped));
    let stops = world.run(&SetStop { change });
    stops.iter().map(Stop::to_string).collect()
}

fn is_stopped(world: &mut World) -> bool {
    let step = world.reserve_send("next", "next");
    match world.run(&step) {
        Reserved::Wait(wait) => wait.limit == Some(Limit::Stopped),
        _ => false,
    }
}

#[test]
fn a_stop_refuses_sends_until_it_ends_and_checks_go_on() {
    for words in [&["all"][..], &["country", "us"], &["channel", "sms"]] {
        let mut world = World::new();
        world.sent("one", "number", "plivo");
        assert_eq!(set(&mut world, words, true).len(), 1);
        assert!(is_stopped(&mut world), "{words:?}");
        world.advance(400 * 86_400);
        assert!(is_stopped(&mut world), "{words:?}");
        world.now = super::world::START;
        assert!(matches!(
            world.check("one", Verdict::Accepted),
            Reserved::Reserved(_)
        ));
        assert!(set(&mut world, words, false).is_empty());
        assert!(!is_stopped(&mut world), "{words:?}");
    }
    let mut world = World::new();
    for words in [&["country", "GB"][..], &["channel", "voice"]] {
        set(&mut world, words, true);
    }
    assert!(!is_stopped(&mut world));
    assert_eq!(set(&mut world, &[], true), ["country GB", "channel voice"]);
}

#[test]
fn a_known_number_is_stopped_too() {
    let mut world = World::with_rules(|rules| {
        rules.known_numbers_for = Some(Duration::from_hours(1_000));
    });
    world.sent("one", "next", "plivo");
    world.check("one", Verdict::Accepted);
    world.advance(3_600);
    set(&mut world, &["all"], true);
    assert!(is_stopped(&mut world));
}

#[test]
fn an_invalid_stop_is_not_parsed() {
    for words in [
        &["country", "UK"][..],
        &["channel", "fax"],
        &["country"],
        &["us"],
        &[],
    ] {
        assert_eq!(Stop::parse(words), None, "{words:?}");
    }
}

#[test]
fn a_freed_number_waits_for_nothing_and_a_forgotten_one_leaves_nothing() {
    for forget in [false, true] {
        let mut world = World::with_rules(|rules| {
            rules.known_numbers_for = Some(Duration::from_hours(1_000));
        });
        world.limits = Limits {
            sends_per_number: vec![quota(1, 86_400)],
            ..Limits::default()
        };
        world.sent("one", "number", "plivo");
        world.check("one", Verdict::Accepted);
        let step = world.reserve_send("two", "number");
        assert!(matches!(world.run(&step), Reserved::Wait(_)));
        let step = free(&world, "number", forget);
        assert!(world.run(&step));
        let names: Vec<&str> = world.rows.keys().map(Key::as_str).collect();
        let expected = if forget {
            vec!["number/number", "upstream/plivo"]
        } else {
            vec![
                "ended/one",
                "known/number",
                "number/number",
                "session/one",
                "upstream/plivo",
            ]
        };
        assert_eq!(names, expected);
        let again = free(&world, "number", true);
        assert_eq!(world.run(&again), !forget);
        let row = &world.rows[&keys::number("number")];
        assert_eq!(row.expires_at, world.now.after(Duration::from_secs(30)));
        let step = world.reserve_send("two", "number");
        assert!(matches!(world.run(&step), Reserved::Reserved(_)));
        let unknown = free(&world, "another", forget);
        assert!(!world.run(&unknown));
    }
}

#[test]
fn a_send_from_before_its_number_was_freed_refunds_no_later_one() {
    for (forget, later) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let mut world = World::new();
        world.limits = Limits {
            sends_per_number: vec![quota(1, 600)],
            ..Limits::default()
        };
        let reservation = world.reserved("one", "number");
        let step = free(&world, "number", forget);
        world.run(&step);
        world.advance(later);
        world.sent("two", "number", "plivo");
        let rules = world.rules.clone();
        world.run(&ReleaseSend { reservation, rules });
        world.advance(599);
        let step = world.reserve_send("three", "number");
        let outcome = world.run(&step);
        let limit = match outcome {
            Reserved::Wait(wait) => wait.limit,
            _ => None,
        };
        assert_eq!(limit, Some(Limit::SendsPerNumber), "{forget} {later}");
    }
}

#[test]
fn a_send_from_before_its_number_was_freed_leaves_the_wait_of_a_later_one() {
    for forget in [false, true] {
        let mut world = World::new();
        let reservation = world.reserved("one", "number");
        let step = free(&world, "number", forget);
        world.run(&step);
        world.sent("two", "number", "plivo");
        let rules = world.rules.clone();
        world.run(&ReleaseSend { reservation, rules });
        let step = world.reserve_send("three", "number");
        assert!(matches!(world.run(&step), Reserved::Wait(_)));
    }
}

#[test]
fn a_check_from_before_its_number_was_freed_refunds_no_later_one() {
    for is_released in [false, true] {
        let mut world = World::new();
        world.limits = Limits {
            wrong_checks_per_number: vec![quota(1, 600)],
            ..Limits::default()
        };
        world.sent("one", "number", "plivo");
        let step = world.reserve_check("one");
        let reservation = Arc::new(reserved(world.run(&step)));
        let step = free(&world, "number", false);
        world.run(&step);
        world.check("one", Verdict::Incorrect);
        if is_released {
            let rules = world.rules.clone();
            world.run(&ReleaseCheck { reservation, rules });
        } else {
            let step = world.settle(&reservation, Verdict::Accepted);
            world.run(&step);
        }
        let check = LimitCheck {
            limit: Limit::WrongChecksPerNumber,
            row: keys::number("number"),
            quotas: world.limits.wrong_checks_per_number.clone(),
            used: Use::Amount(1),
        };
        let rules = world.rules.clone();
        assert_eq!(world.run(&LimitUsed { check, rules }), [1]);
    }
}

#[test]
fn an_allowed_number_is_exempt_like_a_known_one() {
    let mut world = World::new();
    world.limits = Limits {
        sends_per_range: vec![quota(1, 86_400)],
        ..Limits::default()
    };
    world.sent("one", "one", "plivo");
    for is_allowed in [false, true] {
        let mut step = world.reserve_send("two", "two");
        step.limits.is_allowed = is_allowed;
        let is_reserved = matches!(world.run(&step), Reserved::Reserved(_));
        assert_eq!(is_reserved, is_allowed);
    }
    assert_eq!(Arc::strong_count(&world.rules), 1);
}

#[test]
fn an_allowed_number_has_the_reserve_also_where_no_number_is_remembered() {
    let mut world = World::with_rules(|rules| {
        rules.known_numbers_for = None;
        rules.conversion = Some(ConversionRule {
            floor: 20,
            min_per_country: None,
            min_per_range: None,
            grace: Duration::from_mins(3),
            cooldown: Duration::from_mins(30),
            enforced: true,
        });
    });
    world.limits = Limits {
        sends_per_country: vec![quota(2, 86_400)],
        ..Limits::default()
    };
    for name in ["one", "two", "three"] {
        let mut step = world.reserve_send(name, name);
        step.limits.is_allowed = true;
        let reservation = Arc::new(reserved(world.run(&step)));
        let record = world.record_sent((name, name), name, &reservation);
        assert!(
            matches!(world.run(&record), Recorded::Sent { .. }),
            "{name}"
        );
        world.check(name, Verdict::Accepted);
    }
    let step = world.reserve_send("four", "four");
    assert!(matches!(world.run(&step), Reserved::Wait(_)));
}

#[test]
fn a_session_with_a_resend_after_another_session_is_viewed_once() {
    let mut world = World::new();
    for session in ["one", "two", "one"] {
        world.sent(session, "number", "plivo");
        world.advance(100);
    }
    let view = ViewNumber {
        number: keys::number("number"),
        limits: world.limits.clone(),
        rules: world.rules.clone(),
    };
    let seen = world.read(&view);
    assert_eq!((seen.sends.len(), seen.sessions.len()), (3, 2));
}
