//! Pages that a server creates and a person completes.

use std::{sync::Arc, time::Duration};

use super::world::{World, reserved};
use crate::{
    Sealed, SessionOver, keys,
    transitions::{BeginPage, ReleaseSend, ReserveSend, Reserved, ViewPage},
};

fn world() -> World {
    let mut world = World::new();
    let begin = BeginPage {
        page: keys::page("one"),
        content: Sealed(b"content".to_vec()),
        lifetime: Duration::from_mins(10),
    };
    world.run(&begin);
    world
}

/// The page's send, for a session with that name.
fn press(world: &World, session: &str, number: &str) -> ReserveSend {
    ReserveSend {
        page: Some(keys::page("one")),
        ..world.reserve_send(session, number)
    }
}

fn is_over<R>(outcome: &Reserved<R>) -> bool {
    matches!(outcome, Reserved::Over(SessionOver::Expired))
}

#[test]
fn a_page_sends_once_in_ten_minutes() {
    let mut world = world();
    let step = press(&world, "first", "number");
    drop(reserved(world.run(&step)));
    world.advance(31);
    let again = press(&world, "second", "number");
    assert!(is_over(&world.run(&again)));
    // A reload still shows it.
    let view = ViewPage {
        page: keys::page("one"),
    };
    assert!(world.run(&view).is_ok());
    let mut late = self::world();
    late.advance(600);
    let step = press(&late, "first", "number");
    assert!(is_over(&late.run(&step)));
    late.advance(15 * 60);
    assert_eq!(late.run(&view), Err(SessionOver::NotFound));
}

#[test]
fn a_released_or_refused_page_may_be_pressed_again() {
    let mut world = world();
    let other = world.reserve_send("other", "number");
    drop(reserved(world.run(&other)));
    let step = press(&world, "first", "number");
    assert!(matches!(world.run(&step), Reserved::Wait(_)));
    world.advance(31);
    let reservation = reserved(world.run(&step));
    let release = ReleaseSend {
        reservation: Arc::new(reservation),
        rules: world.rules.clone(),
    };
    world.run(&release);
    drop(reserved(world.run(&step)));
}
