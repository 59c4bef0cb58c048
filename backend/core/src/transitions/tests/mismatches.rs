//! Another body under a known key: it may be a guess.

use super::{
    idempotency::{costly, keyed_check, keyed_resend, keyed_send, repeated},
    world::{World, caller, claim, quota, reserved},
};
use crate::{
    Limit, LimitCheck, Repetition, Use, Verdict,
    transitions::{CheckReservation, FindAnswer, LimitUsed, Reserved},
};
use std::sync::Arc;

/// The number of checks that the caller has used.
fn checks_used(world: &World) -> LimitUsed {
    let check = world.limits.of_check(&caller("caller")).remove(0);
    assert_eq!(check.limit, Limit::ChecksPerAddress);
    LimitUsed {
        check: LimitCheck {
            used: Use::Amount(0),
            ..check
        },
        rules: world.rules.clone(),
    }
}

#[test]
fn mismatches_are_counted_and_after_five_nothing_is_compared() {
    let mut world = World::new();
    world.limits.checks_per_address = vec![quota(4, 600)];
    world.sent("one", "number", "plivo");
    let right = keyed_check(&world, claim("key", "right"));
    let wrong = keyed_check(&world, claim("key", "wrong"));
    let used = checks_used(&world);
    let check: CheckReservation = reserved(world.run(&right));
    assert_eq!(world.run(&used), [1]);
    for tried in 1..=5 {
        assert!(matches!(repeated(world.run(&right)), Repetition::UnderWay));
        match world.run(&wrong) {
            Reserved::Repeated(repetition) if tried <= 3 => {
                assert_eq!(repetition, Repetition::Reused);
            }
            // The caller's checks are used up; the mismatch still counts for the key.
            Reserved::Wait(wait) if tried > 3 => {
                assert_eq!(wait.limit, Some(Limit::ChecksPerAddress));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(world.run(&used), [(1 + tried).min(4)]);
    }
    let settle = world.settle(&Arc::new(check), Verdict::Accepted);
    world.run(&settle);
    assert_eq!(repeated(world.run(&right)), Repetition::Reused);
    assert_eq!(repeated(world.run(&wrong)), Repetition::Reused);
    assert_eq!(world.written, 0);
}

#[test]
fn a_mismatch_costs_the_same_for_every_kind_of_request() {
    let mut world = World::new();
    world.limits.checks_per_address = vec![quota(9, 600)];
    world.sent("one", "number", "plivo");
    world.advance(30);
    let used = checks_used(&world);
    let resend = keyed_resend(&world, claim("resend", "body"));
    assert!(matches!(world.run(&resend), Reserved::Reserved(_)));
    let guess = keyed_resend(&world, claim("resend", "guess"));
    assert_eq!(repeated(world.run(&guess)), Repetition::Reused);
    assert_eq!(world.run(&used), [1]);
    world.advance(60);
    let send = keyed_send(&world, "two", claim("send", "body"));
    assert!(matches!(world.run(&send), Reserved::Reserved(_)));
    let guess = keyed_send(&world, "three", claim("send", "guess"));
    assert_eq!(repeated(world.run(&guess)), Repetition::Reused);
    assert_eq!(world.run(&used), [2]);
    let find = |body| FindAnswer {
        claim: costly(&world, claim("send", body)),
        rules: world.rules.clone(),
    };
    let (guess, right) = (find("guess"), find("body"));
    assert_eq!(world.run(&guess), Some(Ok(Repetition::Reused)));
    assert_eq!(world.run(&used), [3]);
    // An unchanged repetition costs nothing.
    assert_eq!(world.run(&right), Some(Ok(Repetition::UnderWay)));
    assert_eq!(world.written, 0);
}
