use std::{sync::Arc, time::Duration};

use countersign_shared::session::SessionStatus;
use proptest::prelude::*;

use super::world::{World, quota, reserved};
use crate::{
    Limit, Limits, SessionOver, Verdict, keys,
    transitions::{CheckReservation, ReleaseCheck, Reserved, Settlement, ViewSession},
};

fn release(world: &World, check: &Arc<CheckReservation>) -> ReleaseCheck {
    ReleaseCheck {
        reservation: check.clone(),
        rules: world.rules.clone(),
    }
}

fn verdicts() -> impl Strategy<Value = Option<Verdict>> {
    prop_oneof![
        2 => Just(Some(Verdict::Incorrect)),
        1 => Just(Some(Verdict::Accepted)),
        1 => Just(Some(Verdict::CodeUsed)),
        // Released.
        1 => Just(None),
    ]
}

proptest! {
    /// Checks of two sessions of one number, any number at once, answered in any order by
    /// an upstream that may accept every one: each session is verified at most once, at
    /// most five of its checks reach Plivo, and at most seven wrong ones of the number.
    #[test]
    fn at_most_one_success_and_five_checks(
        is_shared: bool,
        steps in prop::collection::vec((any::<bool>(), 0..6_usize, verdicts()), 1..60),
    ) {
        let mut world = World::with_rules(|rules| rules.resend_waits = vec![Duration::ZERO]);
        world.limits.wrong_checks_per_number = vec![quota(7, 3_600)];
        world.sent("0", "number", "plivo");
        world.sent("1", "number", if is_shared { "plivo" } else { "other" });
        let mut held: Vec<(usize, Arc<CheckReservation>)> = Vec::new();
        let (mut verified, mut asked, mut wrong) = ([0; 2], [0; 2], 0);
        for (session, index, verdict) in steps {
            let session = usize::from(session);
            if held.len() <= index {
                let step = world.reserve_check(&session.to_string());
                if let Reserved::Reserved(check) = world.run(&step) {
                    held.push((session, Arc::new(check)));
                    asked[session] += 1;
                    wrong += 1;
                }
            } else {
                let (session, check) = held.swap_remove(index);
                let Some(verdict) = verdict else {
                    let step = release(&world, &check);
                    world.run(&step);
                    asked[session] -= 1;
                    wrong -= 1;
                    continue;
                };
                let step = world.settle(&check, verdict);
                let settled = world.run(&step);
                wrong -= i32::from(verdict == Verdict::Accepted);
                prop_assert!(settled != Settlement::Verified || verdict == Verdict::Accepted);
                verified[session] += i32::from(settled == Settlement::Verified);
            }
            prop_assert!(asked.iter().all(|asked| *asked <= 5));
            prop_assert!(wrong <= 7);
            prop_assert!(verified.iter().all(|verified| *verified <= 1));
            prop_assert!(!is_shared || verified.iter().sum::<i32>() <= 1);
        }
    }
}

#[test]
fn a_check_counts_when_reserved_and_is_refunded_if_it_never_left() {
    let mut world = World::new();
    world.limits = Limits {
        wrong_checks_per_number: vec![quota(9, 3_600)],
        checks_per_address: vec![quota(9, 600)],
        ..Limits::default()
    };
    world.sent("one", "number", "plivo");
    let before = world.rows.clone();
    let step = world.reserve_check("one");
    let check = Arc::new(reserved(world.run(&step)));
    assert_eq!(check.session().checks_left, 4);
    assert_eq!(check.upstream().key, keys::upstream("plivo"));
    assert_ne!(world.rows, before);
    let step = release(&world, &check);
    world.run(&step);
    assert_eq!(world.rows, before);
}

#[test]
fn the_last_wrong_check_ends_the_session_and_a_right_one_beside_it_still_counts() {
    let mut world = World::new();
    world.sent("one", "number", "plivo");
    for checks_left in [4, 3, 2] {
        let settled = reserved(world.check("one", Verdict::Incorrect));
        assert_eq!(settled, Settlement::Incorrect { checks_left });
    }
    let step = world.reserve_check("one");
    let [right, wrong] = [0, 1].map(|_| Arc::new(reserved(world.run(&step))));
    let over = |outcome| match outcome {
        Reserved::<CheckReservation>::Over(over) => over,
        other => panic!("{other:?}"),
    };
    assert_eq!(over(world.run(&step)), SessionOver::ChecksExhausted);
    let settle = world.settle(&wrong, Verdict::Incorrect);
    assert_eq!(world.run(&settle), Settlement::Incorrect { checks_left: 0 });
    let view = ViewSession {
        session: keys::session("one"),
    };
    assert_eq!(
        world.run(&view).unwrap().status,
        SessionStatus::ChecksExhausted
    );
    assert_eq!(over(world.run(&step)), SessionOver::ChecksExhausted);
    let settle = world.settle(&right, Verdict::Accepted);
    assert_eq!(world.run(&settle), Settlement::Verified);
    assert_eq!(world.run(&view).unwrap().status, SessionStatus::Verified);
    assert_eq!(over(world.run(&step)), SessionOver::AlreadyVerified);
    // Settling again changes nothing.
    let again = Settlement::Over(SessionOver::AlreadyVerified);
    assert_eq!(world.run(&settle), again);
}

#[test]
fn a_released_last_check_opens_the_session_again() {
    let mut world = World::with_rules(|rules| rules.checks_per_session = 2);
    world.sent("one", "number", "plivo");
    let step = world.reserve_check("one");
    let [first, second] = [0, 1].map(|_| Arc::new(reserved(world.run(&step))));
    let settle = world.settle(&first, Verdict::Incorrect);
    world.run(&settle);
    let step = release(&world, &second);
    world.run(&step);
    let settled = reserved(world.check("one", Verdict::Accepted));
    assert_eq!(settled, Settlement::Verified);
}

#[test]
fn wrong_codes_count_for_the_number_over_all_sessions_and_right_ones_do_not() {
    let mut world = World::with_rules(|rules| rules.resend_waits = vec![Duration::ZERO]);
    world.limits.wrong_checks_per_number = vec![quota(2, 3_600)];
    world.sent("one", "number", "plivo");
    world.sent("two", "number", "other");
    let verdict = reserved(world.check("one", Verdict::Accepted));
    assert_eq!(verdict, Settlement::Verified);
    for _ in 0..2 {
        reserved(world.check("two", Verdict::Incorrect));
    }
    world.sent("three", "number", "third");
    let Reserved::Wait(wait) = world.check("three", Verdict::Accepted) else {
        panic!("it does not wait")
    };
    assert_eq!(wait.limit, Some(Limit::WrongChecksPerNumber));
    assert_eq!(wait.retry_after, Duration::from_hours(1));
    assert_eq!(world.written, 0);
}

#[test]
fn a_used_up_code_uses_a_check_and_leaves_the_session_open() {
    let mut world = World::new();
    world.sent("one", "number", "plivo");
    let settled = reserved(world.check("one", Verdict::CodeUsed));
    assert_eq!(settled, Settlement::CodeUsed);
    let view = ViewSession {
        session: keys::session("one"),
    };
    let session = world.run(&view).unwrap();
    assert_eq!(
        (session.status, session.checks_left),
        (SessionStatus::Pending, 4)
    );
}

#[test]
fn an_answer_after_the_end_is_no_success() {
    let mut world = World::new();
    world.sent("one", "number", "plivo");
    let step = world.reserve_check("one");
    let check = Arc::new(reserved(world.run(&step)));
    world.advance(600);
    let settle = world.settle(&check, Verdict::Accepted);
    let settled = world.run(&settle);
    assert_eq!(settled, Settlement::Over(SessionOver::Expired));
}
