use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::world::{World, quota};
use crate::{
    ConversionRule, Limit, Limits, Verdict,
    transitions::{ReleaseSend, Reserved},
};

const DAY: u64 = 86_400;

fn world(limits: Limits) -> World {
    let mut world = World::with_rules(|rules| {
        rules.known_numbers_for = Some(Duration::from_hours(90 * 24));
        rules.resend_waits = vec![Duration::ZERO];
    });
    world.limits = limits;
    world
}

/// Sends a code; returns the session, or the limit that refused it.
fn send(world: &mut World, number: &str) -> Result<String, Option<Limit>> {
    let session = format!("session{}", world.rows.len() + 1000 * world.written);
    let session = format!("{session}-{number}-{}", world.now.0);
    let step = world.reserve_send(&session, number);
    match world.run(&step) {
        Reserved::Reserved(reservation) => {
            let reservation = Arc::new(reservation);
            let record = world.record_sent((&session, number), &session, &reservation);
            world.run(&record);
            Ok(session)
        }
        Reserved::Wait(wait) => Err(wait.limit),
        other => panic!("{other:?}"),
    }
}

fn verify(world: &mut World, session: &str) {
    world.check(session, Verdict::Accepted);
}

/// Verifies a number, and advances until everything that was counted has expired.
fn make_known(world: &mut World, number: &str) {
    let session = send(world, number).unwrap();
    verify(world, &session);
    world.advance(2 * DAY);
}

#[test]
fn a_known_number_passes_when_its_country_and_range_are_full() {
    let mut world = world(Limits {
        sends_per_country: vec![quota(4, 3_600)],
        sends_per_range: vec![quota(3, 3_600)],
        ..Limits::default()
    });
    for number in ["one", "two", "three"] {
        make_known(&mut world, number);
    }
    for number in 0..3 {
        send(&mut world, &format!("stranger{number}")).unwrap();
    }
    assert_eq!(
        send(&mut world, "stranger"),
        Err(Some(Limit::SendsPerRange))
    );
    // One fits the country's limit, and two the reserve for known numbers.
    for number in ["one", "two", "three"] {
        send(&mut world, number).unwrap();
    }
    assert!(send(&mut world, "one").is_err());
}

#[test]
fn a_known_number_is_subject_to_limits_per_number_per_address_and_in_total() {
    for limits in [
        Limits {
            sends_per_number: vec![quota(1, 3_600)],
            ..Limits::default()
        },
        Limits {
            sends_per_address: vec![quota(1, 3_600)],
            ..Limits::default()
        },
        Limits {
            sends_total: vec![quota(1, 3_600)],
            ..Limits::default()
        },
    ] {
        let mut world = world(limits);
        make_known(&mut world, "one");
        send(&mut world, "one").unwrap();
        assert!(send(&mut world, "one").is_err());
    }
}

#[test]
fn a_known_number_passes_a_tripped_breaker_and_does_not_count_for_it() {
    let mut world = world(Limits::default());
    let rules = Arc::make_mut(&mut world.rules);
    rules.conversion = Some(ConversionRule {
        enforced: true,
        ..super::conversion::rule()
    });
    make_known(&mut world, "one");
    for number in 0..10 {
        send(&mut world, &format!("stranger{number}")).unwrap();
    }
    world.advance(180);
    assert_eq!(
        send(&mut world, "stranger"),
        Err(Some(Limit::ConversionPerCountry))
    );
    let session = send(&mut world, "one").unwrap();
    let conversion = crate::keys::conversion("country");
    let before = world.rows.get(&conversion).cloned();
    verify(&mut world, &session);
    assert_eq!(world.rows.get(&conversion).cloned(), before);
}

#[test]
fn known_numbers_with_low_conversion_are_not_exempt() {
    let mut world = world(Limits::default());
    let rules = Arc::make_mut(&mut world.rules);
    rules.conversion = Some(ConversionRule {
        enforced: true,
        ..super::conversion::rule()
    });
    for number in 2..12 {
        make_known(&mut world, &format!("ring{number}"));
    }
    world.limits.sends_per_range = vec![quota(1, 30 * DAY)];
    send(&mut world, "stranger").unwrap();
    // Each is exempt, and no code is entered.
    for number in 2..12 {
        send(&mut world, &format!("ring{number}")).unwrap();
    }
    world.advance(180);
    let refused = send(&mut world, "ring11");
    assert_eq!(refused, Err(Some(Limit::SendsPerRange)));
}

#[test]
fn a_wrong_code_makes_no_number_known() {
    let mut world = world(Limits {
        sends_per_range: vec![quota(1, 30 * DAY)],
        ..Limits::default()
    });
    let session = send(&mut world, "one").unwrap();
    for verdict in [Verdict::Incorrect, Verdict::CodeUsed] {
        world.check(&session, verdict);
    }
    assert_eq!(send(&mut world, "one"), Err(Some(Limit::SendsPerRange)));
}

#[test]
fn two_unanswered_sends_end_the_exemption_and_a_verification_renews_it() {
    let mut world = world(Limits {
        sends_per_range: vec![quota(1, 30 * DAY)],
        ..Limits::default()
    });
    make_known(&mut world, "one");
    world.advance(30 * DAY);
    send(&mut world, "stranger").unwrap();
    send(&mut world, "one").unwrap();
    let second = send(&mut world, "one").unwrap();
    assert_eq!(send(&mut world, "one"), Err(Some(Limit::SendsPerRange)));
    // The code of the second is entered after all.
    verify(&mut world, &second);
    send(&mut world, "one").unwrap();
}

#[test]
fn a_released_send_does_not_count_against_a_known_number() {
    let mut world = world(Limits {
        sends_per_range: vec![quota(1, 30 * DAY)],
        ..Limits::default()
    });
    make_known(&mut world, "one");
    world.advance(30 * DAY);
    send(&mut world, "stranger").unwrap();
    for index in 0..5 {
        let step = world.reserve_send(&format!("lost{index}"), "one");
        let Reserved::Reserved(reservation) = world.run(&step) else {
            panic!("{index}");
        };
        assert!(reservation.is_known());
        let release = ReleaseSend {
            reservation: Arc::new(reservation),
            rules: world.rules.clone(),
        };
        world.run(&release);
    }
}

#[test]
fn a_known_number_expires_and_none_is_known_if_that_is_disabled() {
    let limits = || Limits {
        sends_per_range: vec![quota(1, 100 * DAY)],
        ..Limits::default()
    };
    for (days, kept_for, is_known) in [(80, 90, true), (89, 90, false), (1, 0, false)] {
        let mut world = world(limits());
        let rules = Arc::make_mut(&mut world.rules);
        rules.known_numbers_for = (kept_for > 0).then(|| Duration::from_hours(kept_for * 24));
        make_known(&mut world, "one");
        world.advance(days * DAY);
        assert_eq!(send(&mut world, "one").is_ok(), is_known, "{days}");
    }
}

proptest! {
    /// Whatever happens: unknown numbers never exceed the country's limit, and known ones
    /// never exceed it by more than half; no number is exempt that was not verified since
    /// the send before last.
    #[test]
    fn the_exemption_of_known_numbers_is_bounded(
        steps in prop::collection::vec((0..900_u64, 0..5_usize, any::<bool>()), 1..80),
    ) {
        let mut world = world(Limits {
            sends_per_country: vec![quota(6, 3_600)],
            ..Limits::default()
        });
        // Independent counts: the time, and whether the number was unknown.
        let mut sends: Vec<(u64, bool)> = Vec::new();
        let mut since: BTreeMap<usize, u32> = BTreeMap::new();
        for (seconds, number, answers) in steps {
            world.advance(seconds);
            let now = world.now.0;
            let is_stranger = since.get(&number).is_none_or(|sent| *sent >= 2);
            let in_window = |only_strangers: bool| {
                let begins = now - 3_600_000;
                let sends = sends.iter().filter(|(at, _)| *at > begins);
                sends.filter(|(_, stranger)| *stranger || !only_strangers).count()
            };
            let all = in_window(false);
            let outcome = send(&mut world, &format!("number{number}"));
            if is_stranger {
                prop_assert!(outcome.is_err() || in_window(true) < 6);
            }
            prop_assert!(outcome.is_err() || all < 9, "{all}");
            prop_assert!(outcome.is_ok() || all >= 6, "{all}");
            let Ok(session) = outcome else { continue };
            sends.push((now, is_stranger));
            if let Some(sent) = since.get_mut(&number) {
                *sent += 1;
            }
            if answers {
                verify(&mut world, &session);
                since.insert(number, 0);
            }
        }
    }
}
