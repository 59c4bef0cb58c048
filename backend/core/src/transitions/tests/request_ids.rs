//! The request behind each delivery, including adopted ones.

use std::sync::Arc;

use countersign_shared::session::AttemptStatus;

use super::world::{World, reserved};
use crate::transitions::{CallbackOutcome, ReserveSend};

#[test]
fn the_log_learns_which_request_is_behind_each_adopted_delivery() {
    let mut world = World::new();
    for (session, request_id) in [("one", "first"), ("two", "second")] {
        let step = ReserveSend {
            request_id: request_id.to_owned(),
            ..world.reserve_send(session, "number")
        };
        drop(reserved(world.run(&step)));
        world.advance(30);
    }
    let mut request_of = |nonce: &str, index: usize| {
        let mut callback = world.callback(nonce, "plivo", "number");
        callback.update.index = index;
        match world.run(&callback) {
            CallbackOutcome::Recorded { changes, .. } => changes[0].request_id.clone(),
            other => panic!("{other:?}"),
        }
    };
    // Whichever is reported first: both are adopted then, in their order.
    assert_eq!(request_of("later", 1).as_deref(), Some("second"));
    assert_eq!(request_of("earlier", 0).as_deref(), Some("first"));
}

#[test]
fn an_adopted_delivery_keeps_its_request_when_plivo_answers_late_and_when_others_follow() {
    let mut world = World::new();
    world.sent("one", "number", "plivo");
    world.advance(30);
    let reserve = |world: &World, session, request_id: &str| ReserveSend {
        request_id: request_id.to_owned(),
        ..world.reserve_send(session, "number")
    };
    let second = reserve(&world, "two", "second");
    let second = Arc::new(reserved(world.run(&second)));
    // About the first delivery, while the second is in progress.
    let callback = world.callback("first", "plivo", "number");
    world.run(&callback);
    let record = world.record_sent(("two", "number"), "plivo", &second);
    world.run(&record);
    world.advance(60);
    let third = reserve(&world, "three", "third");
    let third = Arc::new(reserved(world.run(&third)));
    let record = world.record_sent(("three", "number"), "plivo", &third);
    world.run(&record);
    for (index, request_id) in [(0, "a request"), (1, "second"), (2, "third")] {
        let mut callback = world.callback(request_id, "plivo", "number");
        callback.update.index = index;
        callback.update.attempt.status = AttemptStatus::Delivered;
        let CallbackOutcome::Recorded { told, .. } = world.run(&callback) else {
            panic!("it is not recorded")
        };
        assert_eq!(told.request_id.as_deref(), Some(request_id));
    }
}
