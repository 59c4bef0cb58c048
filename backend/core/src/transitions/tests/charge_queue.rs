use std::time::Duration;

use super::world::{World, plivo};
use crate::{
    Sealed,
    charge_queue::{MAX_QUEUES, QueuedCharge},
    flow::{DeliverFlow, DeliverStep, Reserve},
    keys,
    transitions::{LeaseQueues, ViewQueue},
};

const KEPT_FOR: Duration = Duration::from_mins(75);

fn lease(world: &mut World, served: &[&str], done: &[&str]) -> Vec<String> {
    let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
    world.run(&LeaseQueues {
        served: names(served),
        done: names(done),
        kept_for: KEPT_FOR,
    })
}

#[test]
fn a_queue_passes_on_once_its_process_is_gone_and_to_one_other() {
    let mut world = World::new();
    let none: [String; 0] = [];
    assert_eq!(lease(&mut world, &["a"], &[]), none);
    world.advance(119);
    assert_eq!(lease(&mut world, &["b"], &[]), none);
    // One that renews keeps it.
    assert_eq!(lease(&mut world, &["a"], &[]), none);
    world.advance(119);
    assert_eq!(lease(&mut world, &["b"], &[]), none);
    world.advance(1);
    assert_eq!(lease(&mut world, &["b"], &[]), ["a"]);
    assert_eq!(lease(&mut world, &["c"], &[]), none);
    // And whoever took it is gone, too.
    world.advance(120);
    assert_eq!(lease(&mut world, &["c"], &[]), ["a", "b"]);
    assert_eq!(lease(&mut world, &["c"], &["a", "b"]), none);
    world.advance(120);
    assert_eq!(lease(&mut world, &["d"], &[]), ["c"]);
}

#[test]
fn a_clock_that_is_set_back_delays_nobody() {
    let mut world = World::new();
    lease(&mut world, &["a"], &[]);
    world.now = crate::Millis(super::world::START.0 - 3_600_000);
    lease(&mut world, &["b"], &[]);
    world.advance(120);
    assert_eq!(lease(&mut world, &["c"], &[]), ["a", "b"]);
}

#[test]
fn queues_are_bounded_in_number() {
    let mut world = World::new();
    for index in 0..MAX_QUEUES + 10 {
        lease(&mut world, &[&format!("{index:016}")], &[]);
        world.now.0 += 1;
    }
    world.advance(120);
    let taken = lease(&mut world, &["last"], &[]);
    assert_eq!(taken.len(), MAX_QUEUES);
    assert_eq!(taken[0], format!("{:016}", 10));
}

#[test]
fn a_code_is_queued_in_the_commit_that_records_it() {
    let mut world = World::new();
    let reserve = world.reserve_send("one", "number");
    let mut flow = DeliverFlow::new(&Reserve::Send(world.reserve_send("one", "number")));
    let DeliverStep::Call(_) = flow.reserved(Ok::<_, ()>(world.run(&reserve))) else {
        panic!("it is not reserved");
    };
    let step = flow.called(Ok(plivo("plivo")), |_| unreachable!());
    let DeliverStep::Record(mut record) = step else {
        panic!("it is not recorded");
    };
    let content = Sealed(b"content".to_vec());
    record.charge = Some(QueuedCharge {
        row: keys::charge("ab"),
        content: content.clone(),
        kept_for: KEPT_FOR,
    });
    world.run(&record);
    let view = ViewQueue {
        rows: ["aa", "ab", "ac"].map(keys::charge).to_vec(),
    };
    assert_eq!(world.run(&view), [None, Some(content), None]);
    world.advance(KEPT_FOR.as_secs());
    assert_eq!(world.run(&view), [None, None, None]);
}
