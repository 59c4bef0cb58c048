use std::time::Duration;

use countersign_shared::{
    Channel,
    session::{AttemptReason, AttemptStatus},
};

use super::world::{World, quota};
use crate::{
    AttemptUpdate, UpstreamAttempt, keys,
    transitions::{ConsumeOnce, IsConsumed, PollTurn, RecordAttempts, SendWait},
};

#[test]
fn a_single_use_key_is_consumed_once() {
    let mut world = World::new();
    let (key, kept_for) = (keys::single_use("proof"), Duration::from_mins(6));
    let is_consumed = IsConsumed { key: key.clone() };
    let consume = ConsumeOnce { key, kept_for };
    assert!(!world.run(&is_consumed));
    assert!(world.run(&consume));
    assert!(!world.run(&consume));
    assert!(world.run(&is_consumed));
    world.advance(359);
    assert!(!world.run(&consume));
    world.advance(1);
    assert!(world.run(&consume));
}

#[test]
fn the_wait_for_a_send_is_the_longest_and_reading_it_counts_nothing() {
    let mut world = World::new();
    world.limits.sends_per_number = vec![quota(1, 600)];
    let wait = SendWait {
        limits: world.send_limits("number", Channel::Sms),
        rules: world.rules.clone(),
    };
    assert_eq!(world.run(&wait), Duration::ZERO);
    world.reserved("one", "number");
    assert_eq!(world.run(&wait), Duration::from_mins(10));
    world.advance(599);
    assert_eq!(world.run(&wait), Duration::from_secs(1));
    assert_eq!(world.written, 0);
}

#[test]
fn one_caller_per_interval_polls_plivo() {
    let mut world = World::new();
    let turn = PollTurn {
        upstream: keys::upstream("plivo"),
        interval: Duration::from_secs(3),
        rules: world.rules.clone(),
    };
    assert!(world.run(&turn).is_turn);
    assert!(!world.run(&turn).is_turn);
    assert_eq!(world.written, 0);
    world.advance(3);
    assert!(world.run(&turn).is_turn);
    // A turn that lies ahead, after the clock was set back, blocks nobody.
    world.now = super::world::START;
    assert!(world.run(&turn).is_turn);
}

#[test]
fn attempts_are_stored_and_changes_reported_once() {
    let mut world = World::new();
    let update = |index, status, reason| AttemptUpdate {
        index,
        attempt: UpstreamAttempt {
            channel: Channel::Sms,
            status,
            reason,
        },
    };
    let unreachable = Some(AttemptReason::Unreachable);
    let step = RecordAttempts {
        upstream: keys::upstream("plivo"),
        updates: vec![
            update(0, AttemptStatus::Undelivered, unreachable),
            update(1, AttemptStatus::Delivered, None),
        ],
        rules: world.rules.clone(),
    };
    let recorded = world.run(&step);
    let changes = recorded.changes.iter().map(|it| it.status);
    let changes: Vec<AttemptStatus> = changes.collect();
    assert_eq!(
        changes,
        [AttemptStatus::Undelivered, AttemptStatus::Delivered]
    );
    assert_eq!(recorded.attempts[0].reason, unreachable);
    let again = world.run(&step);
    assert_eq!(
        (again.changes.len(), again.attempts),
        (0, recorded.attempts)
    );
    assert_eq!(world.written, 0);
}
