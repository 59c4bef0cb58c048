//! Sessions created with a key, and who may continue them.

use countersign_shared::Channel;

use super::world::{World, owner, reserved};
use crate::{
    ApplicationId, SessionOver, keys,
    transitions::{ReserveResend, ReserveSend, Reserved},
};

/// A world with a live session, created with a key or without.
fn world(with_key: bool) -> World {
    let mut world = World::new();
    let mut step: ReserveSend = world.reserve_send("one", "number");
    step.new.owner = owner(with_key);
    let mut record = {
        let reservation = reserved(world.run(&step));
        world.record_sent(("one", "number"), "plivo", &reservation.into())
    };
    record.new.owner = owner(with_key);
    world.run(&record);
    world.advance(60);
    world
}

#[test]
fn only_the_owner_may_check_and_resend() {
    let id = |text| ApplicationId::parse(text);
    for (with_key, application, may) in [
        (true, id("shop"), true),
        (true, id("bank"), false),
        (true, None, false),
        (false, None, true),
        (false, id("shop"), true),
        (false, id("bank"), false),
    ] {
        let mut world = world(with_key);
        let mut check = world.reserve_check("one");
        check.application = application.clone();
        let resend = ReserveResend {
            request_id: String::new(),
            session: keys::session("one"),
            application: application.clone(),
            channel: Channel::Sms,
            limits: world.send_limits("number", Channel::Sms),
            at_once: false,
            claim: None,
            rules: world.rules.clone(),
        };
        let (check, resend) = (world.run(&check), world.run(&resend));
        let case = format!("{with_key} {application:?}");
        if may {
            assert!(matches!(check, Reserved::Reserved(_)), "{case}");
            assert!(matches!(resend, Reserved::Reserved(_)), "{case}");
        } else {
            let refused = Reserved::<()>::Over(SessionOver::NotFound);
            assert_eq!(format!("{check:?}"), format!("{refused:?}"), "{case}");
            assert_eq!(format!("{resend:?}"), format!("{refused:?}"), "{case}");
        }
    }
}
