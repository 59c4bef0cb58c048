use std::sync::Arc;

use countersign_shared::Channel;
use proptest::prelude::*;

use super::world::{START, World, caller, claim, plivo, reserved};
use crate::{
    Answer, IdempotencyClaim, Repetition, Sealed, SentAnswer, SessionOver, Settlement, Verdict,
    keys,
    transitions::{
        FindAnswer, KeepAnswer, RecordResent, Recorded, ReleaseSend, ReserveCheck, ReserveResend,
        ReserveSend, Reserved,
    },
};

/// Makes another body under the key count as a check by its caller.
pub(super) fn costly(world: &World, claim: IdempotencyClaim) -> IdempotencyClaim {
    IdempotencyClaim {
        mismatch: world.limits.of_check(&caller("caller")),
        ..claim
    }
}

pub(super) fn keyed_send(world: &World, session: &str, claim: IdempotencyClaim) -> ReserveSend {
    ReserveSend {
        claim: Some(costly(world, claim)),
        ..world.reserve_send(session, "number")
    }
}

pub(super) fn keyed_resend(world: &World, claim: IdempotencyClaim) -> ReserveResend {
    ReserveResend {
        application: None,
        session: keys::session("one"),
        channel: Channel::Sms,
        limits: world.send_limits("number", Channel::Sms),
        at_once: false,
        claim: Some(costly(world, claim)),
        request_id: "another request".to_owned(),
        rules: world.rules.clone(),
    }
}

pub(super) fn keyed_check(world: &World, claim: IdempotencyClaim) -> ReserveCheck {
    ReserveCheck {
        claim: Some(costly(world, claim)),
        ..world.reserve_check("one")
    }
}

pub(super) fn repeated<R: std::fmt::Debug>(outcome: Reserved<R>) -> Repetition {
    match outcome {
        Reserved::Repeated(repetition) => repetition,
        other => panic!("{other:?}"),
    }
}

fn subject() -> Option<Sealed> {
    claim("key", "body").subject
}

#[test]
fn a_keyed_send_has_one_effect_and_its_answer_is_found() {
    let mut world = World::new();
    let step = keyed_send(&world, "one", claim("key", "body"));
    let again = keyed_send(&world, "two", claim("key", "body"));
    let reservation = Arc::new(reserved(world.run(&step)));
    assert_eq!(repeated(world.run(&again)), Repetition::UnderWay);
    assert_eq!(world.written, 0);
    world.advance(29);
    assert_eq!(repeated(world.run(&again)), Repetition::UnderWay);
    let record = world.record_sent(("one", "number"), "plivo", &reservation);
    world.run(&record);
    world.advance(500);
    let answer = Answer::Sent(SentAnswer {
        seen_at: START.after(std::time::Duration::from_secs(29)),
        channel: Channel::Sms,
        expires_at: START.after(std::time::Duration::from_secs(629)),
        next_at: START.after(std::time::Duration::from_secs(30)),
        checks_left: 5,
    });
    let subject = subject();
    assert_eq!(
        repeated(world.run(&again)),
        Repetition::Answered { answer, subject }
    );
    // It is kept for its full time, starting at the answer.
    world.advance(100);
    assert!(matches!(world.run(&again), Reserved::Reserved(_)));
}

#[test]
fn a_request_that_was_never_answered_is_lost_with_its_subject() {
    let mut world = World::new();
    let step = keyed_send(&world, "one", claim("key", "body"));
    assert!(matches!(world.run(&step), Reserved::Reserved(_)));
    world.advance(30);
    let lost = Repetition::Lost { subject: subject() };
    assert_eq!(repeated(world.run(&step)), lost);
    // It is not in progress for ever, either, if the clock was set back.
    world.advance(3_600);
    let step = keyed_send(&world, "two", claim("later", "body"));
    assert!(matches!(world.run(&step), Reserved::Reserved(_)));
    world.now = START;
    let step = keyed_send(&world, "three", claim("later", "body"));
    assert_eq!(repeated(world.run(&step)), lost);
}

#[test]
fn a_refused_or_released_request_may_be_repeated_with_its_key() {
    let mut world = World::new();
    let step = keyed_send(&world, "one", claim("key", "body"));
    let reservation = Arc::new(reserved(world.run(&step)));
    let release = ReleaseSend {
        reservation,
        rules: world.rules.clone(),
    };
    world.run(&release);
    assert!(world.rows.is_empty());
    world.advance(1);
    assert!(matches!(world.run(&step), Reserved::Reserved(_)));
    let refused = keyed_send(&world, "two", claim("other", "body"));
    assert!(matches!(world.run(&refused), Reserved::Wait(_)));
    assert_eq!(world.written, 0);
    world.advance(30);
    assert!(matches!(world.run(&refused), Reserved::Reserved(_)));
    // A late release does not free another request's claim.
    world.run(&release);
    assert_eq!(
        repeated(world.run(&step)),
        Repetition::Lost { subject: subject() }
    );
    assert_eq!(repeated(world.run(&refused)), Repetition::UnderWay);
}

#[test]
fn a_proof_is_stored_only_with_its_settlement() {
    for (verdict, kept) in [
        (Verdict::Accepted, Answer::Sealed(Sealed(b"proof".to_vec()))),
        (
            Verdict::Incorrect,
            Answer::Settled(Settlement::Incorrect { checks_left: 4 }),
        ),
        (Verdict::CodeUsed, Answer::Settled(Settlement::CodeUsed)),
    ] {
        let mut world = World::new();
        world.sent("one", "number", "plivo");
        let step = keyed_check(&world, claim("key", "body"));
        let check = Arc::new(reserved(world.run(&step)));
        let settle = world.settle(&check, verdict);
        world.run(&settle);
        let answered = Repetition::Answered {
            answer: kept,
            subject: subject(),
        };
        assert_eq!(repeated(world.run(&step)), answered);
        // No replica may have the proof yet: it is stored again before it is answered.
        assert_eq!(world.guards_single_use, verdict == Verdict::Accepted);
        // Applying the settlement again does not change the answer.
        world.run(&settle);
        assert_eq!(repeated(world.run(&step)), answered);
    }
}

#[test]
fn a_failure_that_stays_counted_gets_the_same_answer_again() {
    let mut world = World::new();
    let step = keyed_send(&world, "one", claim("key", "body"));
    let reservation = reserved(world.run(&step));
    let (claim, claimed_at) = reservation.claim().unwrap();
    let answer = Answer::Sealed(Sealed(b"timeout".to_vec()));
    let keep = KeepAnswer {
        claim: claim.clone(),
        claimed_at,
        answer: answer.clone(),
    };
    world.run(&keep);
    let subject = subject();
    assert_eq!(
        repeated(world.run(&step)),
        Repetition::Answered { answer, subject }
    );
}

#[test]
fn an_answer_is_found_if_the_step_cannot_start_and_a_new_key_stays_free() {
    let mut world = World::new();
    let find = FindAnswer {
        claim: claim("key", "body"),
        rules: world.rules.clone(),
    };
    assert_eq!(world.run(&find), None);
    assert_eq!(world.written, 0);
    let step = keyed_send(&world, "one", claim("key", "body"));
    let reservation = Arc::new(reserved(world.run(&step)));
    assert_eq!(world.run(&find), Some(Ok(Repetition::UnderWay)));
    let record = world.record_sent(("one", "number"), "plivo", &reservation);
    world.run(&record);
    let found = world.run(&find);
    assert!(matches!(found, Some(Ok(Repetition::Answered { .. }))));
    assert_eq!(world.written, 0);
}

proptest! {
    /// Whatever a caller does under one key, and whenever the request behind it ends: it
    /// has one effect, and every repetition after the answer finds that answer.
    #[test]
    fn one_key_has_one_effect(
        steps in prop::collection::vec((0..12_u64, 0..5_u8), 1..40), ends_after in 0..40_usize,
    ) {
        let mut world = World::new();
        world.sent("one", "number", "plivo");
        let (mut effects, mut mismatches, mut held, mut is_answered) = (0, 0, None, false);
        for (index, (seconds, what)) in steps.into_iter().enumerate() {
            world.advance(seconds);
            if index == ends_after && let Some(check) = held.take() {
                let settle = world.settle(&check, Verdict::Accepted);
                prop_assert_eq!(world.run(&settle), Settlement::Verified);
                is_answered = true;
            }
            let body = if what == 0 { "another" } else { "body" };
            let step = keyed_check(&world, claim("key", body));
            match world.run(&step) {
                Reserved::Reserved(check) => {
                    effects += 1;
                    held = Some(Arc::new(check));
                    // The first request's body becomes the key's.
                    prop_assert_eq!(effects, 1);
                    if what == 0 { return Ok(()) }
                }
                Reserved::Repeated(Repetition::Reused) => {
                    prop_assert!(what == 0 || mismatches >= 5);
                    mismatches += i32::from(what == 0);
                }
                Reserved::Repeated(Repetition::Answered { answer, .. }) => {
                    prop_assert!(is_answered && what != 0);
                    prop_assert_eq!(answer, Answer::Sealed(Sealed(b"proof".to_vec())));
                }
                Reserved::Repeated(_) => prop_assert!(!is_answered && what != 0),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}

#[test]
fn a_resend_whose_session_ended_meanwhile_gets_the_same_answer_again() {
    let mut world = World::new();
    world.sent("one", "number", "plivo");
    world.advance(599);
    let step = keyed_resend(&world, claim("key", "body"));
    let reservation = Arc::new(reserved(world.run(&step)));
    world.advance(1);
    let record = RecordResent {
        upstream: plivo("plivo"),
        reservation,
        rules: world.rules.clone(),
    };
    let over = SessionOver::Expired;
    assert!(matches!(world.run(&record), Recorded::Over(it) if it == over));
    let answer = Answer::Settled(Settlement::Over(over));
    let subject = subject();
    assert_eq!(
        repeated(world.run(&step)),
        Repetition::Answered { answer, subject }
    );
}
