//! Runs of processes: how the last one ended, and whose simulator it is.

use super::world::World;
use crate::{
    keys,
    transitions::{BeginRun, EndRun, HoldSimulator, ReleaseSimulator, SIMULATOR_LEASE},
};

#[test]
fn an_unfinished_run_is_reported_to_the_next_one() {
    let mut world = World::new();
    let instance = keys::run("one");
    let begin = BeginRun {
        instance: instance.clone(),
    };
    assert_eq!(world.run(&begin), None);
    let crashed = world.now;
    world.advance(60);
    let other = BeginRun {
        instance: keys::run("other"),
    };
    assert_eq!(world.run(&other), None);
    assert_eq!(world.run(&begin), Some(crashed));
    world.run(&EndRun { instance });
    assert_eq!(world.run(&begin), None);
}

#[test]
fn one_process_holds_the_simulator_until_it_is_gone() {
    let mut world = World::new();
    let hold = |owner: &str, gone: Option<&str>| HoldSimulator {
        owner: owner.to_owned(),
        gone: gone.map(str::to_owned),
    };
    assert_eq!(world.run(&hold("one", None)), Ok(()));
    assert_eq!(world.run(&hold("other", None)), Err("one".to_owned()));
    assert_eq!(
        world.run(&hold("other", Some("third"))),
        Err("one".to_owned())
    );
    world.advance(SIMULATOR_LEASE.as_secs() - 1);
    assert_eq!(world.run(&hold("one", None)), Ok(()), "renewed");
    world.advance(SIMULATOR_LEASE.as_secs() - 1);
    assert_eq!(world.run(&hold("other", None)), Err("one".to_owned()));
    assert_eq!(
        world.run(&hold("other", Some("one"))),
        Ok(()),
        "one is gone"
    );
    let release = |owner: &str| ReleaseSimulator {
        owner: owner.to_owned(),
    };
    world.run(&release("one"));
    assert_eq!(world.run(&hold("one", None)), Err("other".to_owned()));
    world.run(&release("other"));
    assert_eq!(world.run(&hold("one", None)), Ok(()));
    world.advance(SIMULATOR_LEASE.as_secs());
    assert_eq!(
        world.run(&hold("other", None)),
        Ok(()),
        "no word for too long"
    );
}
