use std::{sync::Arc, time::Duration};

use super::world::World;
use crate::{ConversionRule, Limit, Verdict, transitions::Reserved};

pub(super) fn rule() -> ConversionRule {
    ConversionRule {
        floor: 20,
        min_per_country: Some(10.try_into().unwrap()),
        min_per_range: Some(10.try_into().unwrap()),
        grace: Duration::from_mins(3),
        cooldown: Duration::from_mins(30),
        enforced: false,
    }
}

#[test]
fn a_destination_without_conversion_is_stopped_if_that_is_enforced() {
    for enforced in [true, false] {
        let mut world = World::with_rules(|rules| {
            rules.conversion = Some(ConversionRule { enforced, ..rule() });
        });
        for index in 0..10 {
            let name = index.to_string();
            world.sent(&name, &name, &name);
        }
        world.advance(180);
        let step = world.reserve_send("next", "next");
        let low = match world.run(&step) {
            Reserved::Wait(wait) if enforced => {
                assert_eq!(wait.limit, Some(Limit::ConversionPerCountry));
                assert_eq!(wait.retry_after, Duration::from_mins(30));
                wait.low_conversion
            }
            Reserved::Reserved(reservation) if !enforced => reservation.low_conversion,
            other => panic!("{other:?}"),
        };
        let rates: Vec<u32> = low
            .iter()
            .map(|it| it.tripped_by.unwrap().rate.sends)
            .collect();
        assert_eq!(rates, [10, 10]);
        assert_eq!(low[1].limit, Limit::ConversionPerRange);
        // The step that trips the breaker reports the reason; later ones only report that
        // it is open.
        world.advance(60);
        let step = world.reserve_send("later", "later");
        let low = match world.run(&step) {
            Reserved::Wait(wait) => wait.low_conversion,
            Reserved::Reserved(reservation) => reservation.low_conversion,
            other => panic!("{other:?}"),
        };
        assert_eq!(low.iter().filter(|it| it.tripped_by.is_none()).count(), 2);
        // Verified codes count as entered, so the breaker does not trip.
        world.advance(1_800);
        for index in 0..10 {
            let name = format!("again{index}");
            world.sent(&name, &name, &name);
            if index < 2 {
                world.check(&name, Verdict::Accepted);
            }
        }
        world.advance(180);
        let step = world.reserve_send("last", "last");
        assert!(matches!(world.run(&step), Reserved::Reserved(it) if it.low_conversion.is_empty()));
    }
}

#[test]
fn a_stopped_range_does_not_count_against_its_country() {
    let mut world = World::with_rules(|rules| {
        rules.conversion = Some(ConversionRule {
            min_per_country: 12.try_into().ok(),
            enforced: true,
            ..rule()
        });
    });
    let go = |world: &mut World, name: &str, range: &str| {
        let mut step = world.reserve_send(name, name);
        step.limits.destination.range = crate::keys::conversion(range);
        match world.run(&step) {
            Reserved::Reserved(reservation) => {
                let record = world.record_sent((name, name), name, &Arc::new(reservation));
                world.run(&record);
                None
            }
            Reserved::Wait(wait) => wait.limit,
            other => panic!("{other:?}"),
        }
    };
    for index in 0..10 {
        assert_eq!(go(&mut world, &format!("pumped{index}"), "pumped"), None);
    }
    world.advance(180);
    let stopped = Some(Limit::ConversionPerRange);
    assert_eq!(go(&mut world, "pumped", "pumped"), stopped);
    // With the range's sends the country would have thirteen that nobody entered.
    for index in 0..3 {
        assert_eq!(go(&mut world, &format!("other{index}"), "other"), None);
    }
    world.advance(180);
    assert_eq!(go(&mut world, "last", "other"), None);
}
