use countersign_shared::Channel;

use super::world::{World, quota, reserved};
use crate::{
    Charges, Key, Limit, LimitCheck, MicroDollars, Use, keys,
    transitions::{LimitUsed, RecordCharges, ReserveSend, Reserved, SendReservation, ViewSession},
};

fn caps(amount: u64) -> LimitCheck {
    LimitCheck {
        limit: Limit::Budget,
        row: budget_row(),
        quotas: vec![quota(1_000, 3_600), quota(3_000, 86_400)],
        used: Use::Amount(amount),
    }
}

fn budget_row() -> Key {
    keys::limit(Limit::Budget, "all")
}

fn send(world: &World, session: &str, number: &str, price: u64) -> ReserveSend {
    let mut step = world.reserve_send(session, number);
    step.limits.checks.push(caps(price));
    step
}

fn used(world: &mut World) -> Vec<u64> {
    let step = LimitUsed {
        check: caps(0),
        rules: world.rules.clone(),
    };
    world.run(&step)
}

#[test]
fn a_send_books_its_expected_price_until_plivo_reports_the_charge() {
    let mut world = World::new();
    let step = send(&world, "one", "number", 400);
    let reservation: SendReservation = reserved(world.run(&step));
    assert_eq!(reservation.budget_used(), [400, 400]);
    let record = world.record_sent(("one", "number"), "plivo", &reservation.into());
    world.run(&record);
    let charges = RecordCharges {
        session: keys::session("one"),
        upstream: keys::upstream("plivo"),
        charges: Charges {
            attempts: vec![(Channel::Sms, MicroDollars(0))],
            validation: MicroDollars(0),
        },
        caps: vec![caps(0)],
        rules: world.rules.clone(),
    };
    assert_eq!(world.run(&charges), []);
    assert_eq!(world.written, 0);
    assert_eq!(used(&mut world), [400, 400]);
    let told = RecordCharges {
        charges: Charges {
            attempts: vec![(Channel::Sms, MicroDollars(250))],
            validation: MicroDollars(30),
        },
        ..charges
    };
    let new = world.run(&told);
    let amounts: Vec<_> = new.iter().map(|it| (it.channel, it.amount.0)).collect();
    assert_eq!(amounts, [(Some(Channel::Sms), 250), (None, 30)]);
    assert_eq!(used(&mut world), [280, 280]);
    let view = ViewSession {
        session: keys::session("one"),
    };
    assert_eq!(world.run(&view).unwrap().deliveries[0].expected, None);
    // Reported again: nothing new.
    assert_eq!(world.run(&told), []);
    assert_eq!(world.written, 0);
    assert_eq!(used(&mut world), [280, 280]);
}

#[test]
fn a_full_cap_stops_sends_until_there_is_room() {
    let mut world = World::new();
    let step = send(&world, "one", "number", 700);
    assert!(matches!(world.run(&step), Reserved::Reserved(_)));
    world.advance(100);
    let step = send(&world, "two", "other", 301);
    let Reserved::Wait(wait) = world.run(&step) else {
        panic!("it does not wait")
    };
    assert_eq!(wait.limit, Some(Limit::Budget));
    assert_eq!(wait.retry_after.as_secs(), 3_500);
    assert_eq!(wait.announced().as_secs(), 3_540);
    let step = send(&world, "two", "other", 300);
    assert!(matches!(world.run(&step), Reserved::Reserved(_)));
    assert_eq!(used(&mut world), [1_000, 1_000]);
}
