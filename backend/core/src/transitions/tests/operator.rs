use std::{sync::Arc, time::Duration};

use super::world::{World, quota, reserved};
use crate::{
    ConversionRule, Key, Limit, Limits, Stop, Verdict, keys,
    transitions::{FreeNumber, Recorded, Reserved, SetStop},
};

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
        let free = FreeNumber {
            number: keys::number("number"),
            forget,
            rules: world.rules.clone(),
        };
        assert!(world.run(&free));
        let names: Vec<&str> = world.rows.keys().map(Key::as_str).collect();
        let expected = if forget {
            vec!["upstream/plivo"]
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
        let step = world.reserve_send("two", "number");
        assert!(matches!(world.run(&step), Reserved::Reserved(_)));
        let unknown = FreeNumber {
            number: keys::number("another"),
            forget,
            rules: world.rules.clone(),
        };
        assert!(!world.run(&unknown));
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
