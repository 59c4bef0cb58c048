//! The committer as a state machine: each test executes its commands and reports events.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use countersign_core::{Key, Row, Unreadable};
use countersign_store::{
    Commit, CommitOutcome, StoreError,
    committer::{Event, MAX_LOST_RACES, MAX_MEMBERS, MAX_ROWS},
};

use support::{
    Counter, LIFETIME, increment, key,
    world::{Instance, Probe, World},
};

const TRIP: Duration = Duration::from_millis(10);

fn keys(names: &[&str]) -> Vec<Key> {
    names.iter().map(|name| key(name)).collect()
}

/// Increments the counter of that name.
fn adds(name: &'static str) -> Probe {
    Probe::new(
        move |_| Ok(keys(&[name])),
        move |rows| increment(rows, &key(name)),
    )
}

/// Reads the counter of that name, and writes nothing.
fn reads(name: &'static str) -> Probe {
    Probe::new(
        move |_| Ok(keys(&[name])),
        move |rows| Ok(rows.get::<Counter>(&key(name))?.map_or(0, |row| row.count)),
    )
}

#[test]
fn an_idle_committer_starts_at_once_and_later_members_form_the_next_group() {
    let world = World::default();
    let mut instance = Instance::new(&world, 1);
    let first = instance.submit(adds("a"));
    let load = instance.take_load();
    let rest: Vec<_> = (0..MAX_MEMBERS + 3)
        .map(|_| instance.submit(adds("a")))
        .collect();
    assert!(!instance.has_command());

    instance.tell(Event::Loaded(Ok(world.load(&load))));
    assert_eq!(instance.commit_as_told(), 1);
    assert_eq!(first.answer(), Some(Ok(1)));
    assert!(rest.iter().all(|probe| probe.answer().is_none()));

    instance.load_as_told();
    assert_eq!(instance.commit_as_told(), MAX_MEMBERS);
    instance.load_as_told();
    assert_eq!(instance.commit_as_told(), 3);
    let answers: Vec<_> = rest.iter().map(|probe| probe.answer().unwrap()).collect();
    let expected: Vec<_> = (2..).take(rest.len()).map(Ok).collect();
    assert_eq!(answers, expected);
    assert!(instance.committer.is_empty());
}

#[test]
fn a_group_reads_at_most_the_maximum_rows() {
    let world = World::default();
    let mut instance = Instance::new(&world, 1);
    instance.submit(adds("a"));
    let many = |from: usize| {
        let names: Vec<Key> = (from..from + 100)
            .map(|row| key(&row.to_string()))
            .collect();
        Probe::new(move |_| Ok(names.clone()), |_| Ok(0))
    };
    for member in 0..3 {
        instance.submit(many(member * 100));
    }
    // Members that name most of their rows once they have seen the first.
    for member in 0..3 {
        let names: Vec<Key> = (0..100)
            .map(|row| key(&format!("{member}/{row}")))
            .collect();
        instance.submit(Probe::new(
            move |rows| {
                let first = key("first");
                let is_seen = rows.is_loaded(&first);
                let more = names.iter().filter(|_| is_seen).cloned();
                Ok(std::iter::once(first).chain(more).collect())
            },
            |_| Ok(0),
        ));
    }
    let mut loads = Vec::new();
    while instance.has_command() {
        if instance.is_asked_to_load() {
            loads.push(instance.load_as_told());
        } else {
            instance.commit_as_told();
        }
    }
    assert!(loads.iter().all(|rows| *rows <= MAX_ROWS), "{loads:?}");
    assert_eq!(loads, [2, 201, 102, 202, 2, 202]);
}

#[test]
fn a_panic_or_an_unreadable_row_fails_only_its_own_caller() {
    let world = World::default();
    let mut instance = Instance::new(&world, 1);
    instance.submit(reads("a"));
    let before = instance.submit(adds("a"));
    let panics = instance.submit(Probe::new(
        |_| Ok(keys(&["a", "b"])),
        |rows| {
            increment(rows, &key("a"))?;
            rows.delete(&key("b"));
            panic!("a fault of ours")
        },
    ));
    let unreadable = Unreadable {
        kind: Counter::KIND,
        version: 9,
    };
    let error = unreadable.clone();
    let fails = instance.submit(Probe::new(
        |_| Ok(keys(&["a"])),
        move |rows| {
            increment(rows, &key("a"))?;
            Err(error.clone())
        },
    ));
    let names_nothing = instance.submit(Probe::new(|_| panic!("at once"), |_| Ok(0)));
    let writes_what_it_did_not_name = instance.submit(Probe::new(
        |_| Ok(keys(&["c"])),
        |rows| {
            let counter = Counter { count: 7 };
            rows.put(&key("a"), &counter, rows.now().after(LIFETIME));
            Ok(0)
        },
    ));
    let after = instance.submit(adds("a"));
    instance.run();
    assert_eq!(before.answer(), Some(Ok(1)));
    assert_eq!(panics.answer(), Some(Err(StoreError::Faulty)));
    assert_eq!(names_nothing.answer(), Some(Err(StoreError::Faulty)));
    let unnamed = writes_what_it_did_not_name.answer();
    assert_eq!(unnamed, Some(Err(StoreError::Faulty)));
    assert_eq!(
        fails.answer(),
        Some(Err(StoreError::Unreadable(unreadable)))
    );
    assert_eq!(after.answer(), Some(Ok(2)));
    assert_eq!(world.count("a"), 2);
}

#[test]
fn members_are_answered_after_the_commit_and_a_group_that_only_reads_at_once() {
    let world = World::default();
    let mut instance = Instance::new(&world, 1);
    let reader = instance.submit(reads("a"));
    instance.load_as_told();
    assert_eq!(reader.answer(), Some(Ok(0)));
    assert!(instance.committer.is_empty());

    instance.submit(reads("a"));
    let writer = instance.submit(adds("a"));
    // It sees its sibling's write, which may still be lost.
    let reader = instance.submit(reads("a"));
    instance.load_as_told();
    let load = instance.take_load();
    instance.tell(Event::Loaded(Ok(world.load(&load))));
    assert_eq!((writer.answer(), reader.answer()), (None, None));
    instance.take_commit();
    instance.tell(Event::Committed(CommitOutcome::Unreachable));
    let lost = Some(Err(StoreError::Unreachable));
    assert_eq!((writer.answer(), reader.answer()), (lost.clone(), lost));
    assert!(!instance.has_command(), "what may have run is not repeated");
    assert_eq!(world.count("a"), 0);
}

#[test]
fn after_a_conflict_the_group_is_applied_to_the_current_rows() {
    let world = World::default();
    let (mut slow, mut fast) = (Instance::new(&world, 1), Instance::new(&world, 2));
    let added = slow.submit(adds("a"));
    slow.load_as_told();
    let commit = slow.take_commit();
    assert_eq!(commit.compare.len(), 2, "its row, absent, and the turn");
    fast.submit(adds("a"));
    fast.run();
    slow.tell(Event::Committed(world.commit(&commit)));
    // It is not loaded again.
    assert_eq!(slow.commit_as_told(), 1);
    assert_eq!(added.answer(), Some(Ok(2)));
}

#[test]
fn late_and_abandoned_members_are_removed_before_each_try() {
    let world = World::default();
    let mut instance = Instance::new(&world, 1);
    instance.submit(reads("a"));
    let hasty = instance.submit(adds("a").within(Duration::from_millis(30)));
    let gone = instance.submit(adds("a"));
    let patient = instance.submit(adds("a").within(Duration::from_millis(60)));
    instance.load_as_told();
    let load = instance.take_load();
    let snapshot = world.load(&load);
    // The store's time is a moment old by the time its answer arrives.
    world.pass(Duration::from_millis(10));
    instance.tell(Event::Loaded(Ok(snapshot.clone())));
    let commit = instance.take_commit();
    // The earliest deadline, in the store's time, and rather too early than too late.
    assert_eq!(
        commit.deadline,
        snapshot.now.after(Duration::from_millis(20))
    );

    gone.abandon();
    world.pass(Duration::from_millis(25));
    assert_eq!(world.commit(&commit), CommitOutcome::NotRun);
    instance.tell(Event::Committed(CommitOutcome::NotRun));
    instance.wake();
    assert_eq!(hasty.answer(), Some(Err(StoreError::NotRun)));
    instance.load_as_told();
    assert_eq!(instance.commit_as_told(), 1);
    assert_eq!(patient.answer(), Some(Ok(1)));
    assert_eq!(world.count("a"), 1);

    // The same for a member that waits behind others.
    instance.submit(adds("a"));
    let hasty = instance.submit(adds("a").within(Duration::from_millis(5)));
    world.pass(Duration::from_millis(5));
    instance.run();
    assert_eq!(hasty.answer(), Some(Err(StoreError::NotRun)));
    assert_eq!(world.count("a"), 2);
}

#[test]
fn a_rejected_group_is_committed_member_by_member() {
    let world = World::default();
    let mut instance = Instance::new(&world, 1);
    instance.submit(reads("a"));
    let before = instance.submit(adds("a"));
    let too_much = instance.submit(Probe::new(
        |_| Ok(keys(&["b"])),
        |rows| {
            let long = "x".repeat(countersign_store::MAX_VALUE_BYTES);
            rows.put(&key("b"), &support::Text(long), rows.now().after(LIFETIME));
            Ok(0)
        },
    ));
    let after = instance.submit(adds("a"));
    instance.load_as_told();
    instance.load_as_told();
    assert_eq!(instance.commit_as_told(), 3);
    assert_eq!(before.answer(), None);
    for answered in [&before, &too_much, &after] {
        instance.load_as_told();
        assert_eq!(instance.commit_as_told(), 1);
        assert!(answered.answer().is_some());
    }
    assert_eq!(before.answer(), Some(Ok(1)));
    assert_eq!(too_much.answer(), Some(Err(StoreError::Rejected)));
    assert_eq!(after.answer(), Some(Ok(2)));
}

/// Names a second row, which depends on the content of the first.
fn follows() -> Probe {
    let second = |count: u64| key(&format!("second/{count}"));
    Probe::new(
        move |rows| {
            let mut keys = keys(&["first"]);
            if rows.is_loaded(&key("first"))
                && let Some(first) = rows.get::<Counter>(&key("first"))?
            {
                keys.push(second(first.count));
            }
            Ok(keys)
        },
        move |rows| match rows.get::<Counter>(&key("first"))? {
            None => Ok(0),
            Some(first) => increment(rows, &second(first.count)),
        },
    )
}

#[test]
fn a_step_names_more_rows_once_it_has_seen_the_first() {
    let world = World::default();
    let mut instance = Instance::new(&world, 1);
    let nothing = instance.submit(follows());
    instance.run();
    assert_eq!(nothing.answer(), Some(Ok(0)));
    instance.submit(adds("first"));
    instance.run();

    let follower = instance.submit(follows());
    assert_eq!(instance.load_as_told(), 2);
    assert_eq!(instance.load_as_told(), 3);
    let commit = instance.take_commit();
    // Another instance changes the row that was only read, which then points to another
    // second row.
    let mut other = Instance::new(&world, 2);
    other.submit(adds("first"));
    other.run();
    instance.tell(Event::Committed(world.commit(&commit)));
    assert_eq!(instance.load_as_told(), 4);
    assert_eq!(instance.commit_as_told(), 1);
    assert_eq!(follower.answer(), Some(Ok(1)));
    assert_eq!(world.count("second/1"), 0);
    assert_eq!(world.count("second/2"), 1);

    // A sibling writes the first row: the new second row is not loaded yet.
    instance.submit(reads("first"));
    instance.submit(adds("first"));
    let follower = instance.submit(follows());
    instance.run();
    assert_eq!(follower.answer(), Some(Ok(1)));
    assert_eq!(world.count("second/3"), 1);
}

#[test]
fn a_step_gets_through_while_others_keep_changing_which_rows_it_names() {
    let world = World::default();
    let (mut instance, mut other) = (Instance::new(&world, 1), Instance::new(&world, 2));
    let follower = instance.submit(follows());
    for _ in 0..6 {
        other.submit(adds("first"));
        other.run();
        instance.load_as_told();
    }
    instance.run();
    assert_eq!(follower.answer(), Some(Ok(1)));
    assert_eq!(world.count("second/6"), 1);
}

#[test]
fn a_step_that_never_stops_naming_rows_fails() {
    let world = World::default();
    let mut instance = Instance::new(&world, 1);
    let endless = instance.submit(Probe::new(
        |rows| {
            let mut keys = Vec::new();
            for row in 0.. {
                let key = key(&row.to_string());
                let is_new = !rows.is_loaded(&key);
                keys.push(key);
                if is_new {
                    break;
                }
            }
            Ok(keys)
        },
        |_| Ok(0),
    ));
    instance.run();
    assert_eq!(endless.answer(), Some(Err(StoreError::Faulty)));
}

#[test]
fn after_three_lost_races_an_instance_takes_the_turn_and_the_others_respect_it() {
    let world = World::default();
    let (mut far, mut near) = (Instance::new(&world, 1), Instance::new(&world, 2));
    let waits = far.submit(adds("a"));
    far.load_as_told();
    for _ in 0..MAX_LOST_RACES {
        let commit = far.take_commit();
        near.submit(adds("a"));
        near.run();
        world.pass(TRIP);
        far.tell(Event::Committed(world.commit(&commit)));
    }
    // A commit of the other instance is in progress.
    let theirs = near.submit(adds("a"));
    near.load_as_told();
    let on_its_way = near.take_commit();
    // This commit has no members, and compares only the turn.
    assert_eq!(far.commit_as_told(), 0);
    let outcome = world.commit(&on_its_way);
    assert!(matches!(outcome, CommitOutcome::Conflict(_)));
    near.tell(Event::Committed(outcome));
    // It pauses, and checks again.
    near.wake();
    near.load_as_told();
    assert!(!near.is_asked_to_commit());

    far.load_as_told();
    assert_eq!(far.commit_as_told(), 1);
    assert_eq!(waits.answer(), Some(Ok(4)));
    near.wake();
    near.run();
    assert_eq!(theirs.answer(), Some(Ok(5)));

    // A turn that its holder does not use expires.
    let snapshot = world.load(&[Key::new("turn")]);
    assert!(snapshot.stamps.is_empty(), "it was released");
    world.take_turn(*b"somebody", Duration::from_millis(50));
    let theirs = near.submit(adds("a"));
    for _ in 0..50 {
        near.load_as_told();
        assert!(!near.is_asked_to_commit());
        near.wake();
    }
    near.run();
    assert_eq!(theirs.answer(), Some(Ok(6)));
}

#[test]
fn a_failed_load_fails_its_group_and_a_commit_that_did_not_run_is_retried() {
    let world = World::default();
    let mut instance = Instance::new(&world, 1);
    let probes = [instance.submit(adds("a")), instance.submit(adds("a"))];
    instance.take_load();
    instance.tell(Event::Loaded(Err(countersign_store::Unavailable)));
    for probe in probes {
        assert_eq!(probe.answer(), Some(Err(StoreError::NotRun)));
    }
    let probe = instance.submit(adds("a"));
    for _ in 0..3 {
        instance.load_as_told();
        instance.take_commit();
        instance.tell(Event::Committed(CommitOutcome::NotRun));
        instance.wake();
    }
    instance.run();
    assert_eq!(probe.answer(), Some(Ok(1)));
}

#[test]
fn a_commit_waits_for_a_replica_if_a_writing_member_guards_single_use() {
    let world = World::default();
    let mut instance = Instance::new(&world, 1);
    for (probe, expected) in [(adds("a"), false), (adds("a").guarding_single_use(), true)] {
        instance.submit(probe);
        instance.load_as_told();
        let commit: Commit = instance.take_commit();
        assert_eq!(commit.guards_single_use, expected);
        instance.tell(Event::Committed(world.commit(&commit)));
    }
}
