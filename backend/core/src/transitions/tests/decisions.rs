use std::time::Duration;

use super::world::World;
use crate::{
    Millis,
    decisions::{Decision, MAX_PER_ROW, MAX_ROWS},
    transitions::{AppendDecisions, ViewDecisions},
};

fn decision(at: u64) -> Decision {
    Decision {
        at: Millis(at),
        outcome: "conversion_country".to_owned(),
        application: "a".repeat(40),
        country: "US".to_owned(),
        channel: "whatsapp".to_owned(),
        range: "+14155550123".to_owned(),
        recipient: "+•••••••••••••23".to_owned(),
        address: "2001:db8:1234::/48".to_owned(),
        times: u32::MAX,
    }
}

fn append(world: &mut World, moments: std::ops::Range<u64>) {
    let step = AppendDecisions {
        decisions: moments.map(decision).collect(),
        kept_for: Duration::from_hours(14 * 24),
    };
    world.run(&step);
}

fn all(world: &mut World) -> Vec<u64> {
    let (mut moments, mut start) = (Vec::new(), 0);
    loop {
        let step = ViewDecisions {
            rows: start..start + 100,
        };
        let (decisions, rows) = world.run(&step);
        moments.extend(decisions.iter().map(|it| it.at.0));
        start += 100;
        if start >= rows {
            return moments;
        }
    }
}

#[test]
fn decisions_are_kept_in_order_until_they_expire() {
    let mut world = World::new();
    assert!(all(&mut world).is_empty());
    let mut written = 0;
    for length in [1, 5, 64, 40, 63, 64, 2] {
        append(&mut world, written..written + length);
        written += length;
    }
    assert_eq!(all(&mut world), (0..written).collect::<Vec<_>>());
    // One row per 64 decisions, and the one that counts the rows.
    assert_eq!(world.rows.len() as u64, written.div_ceil(64) + 1);
    world.advance(14 * 86_400);
    assert!(all(&mut world).is_empty());
}

#[test]
fn the_oldest_decisions_are_overwritten() {
    let mut world = World::new();
    let row = MAX_PER_ROW as u64;
    for index in 0..MAX_ROWS + 3 {
        append(&mut world, index * row..(index + 1) * row);
    }
    let kept = all(&mut world);
    assert_eq!(kept.len() as u64, MAX_ROWS * row);
    assert_eq!(kept[0], 3 * row);
    assert_eq!(world.rows.len() as u64, MAX_ROWS + 1);
}
