//! Committers of several instances over one store, with events in any order and with any
//! fault: each step answered with success was committed once, each refused one was not,
//! and every caller is answered.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{collections::BTreeMap, time::Duration};

use countersign_store::{
    Commit, CommitOutcome, StoreError,
    committer::{Command, Event},
};
use proptest::prelude::*;

use support::{
    increment, key,
    world::{Caller, Instance, Probe, World},
};

const ROWS: [&str; 3] = ["a", "b", "c"];

/// The next event, at one of the instances.
#[derive(Clone, Copy, Debug)]
enum Act {
    Submit {
        row: usize,
        patience: u64,
    },
    Abandon,
    /// Execute its next command.
    Do,
    /// Fail its next command; the store reports that, or not.
    Fail {
        is_silent: bool,
    },
    /// Execute its next command and lose the answer.
    Lose,
    Pass {
        milliseconds: u64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..ROWS.len(), 1..200_u64).prop_map(|(row, patience)| Act::Submit { row, patience }),
        1 => Just(Act::Abandon),
        10 => Just(Act::Do),
        1 => any::<bool>().prop_map(|is_silent| Act::Fail { is_silent }),
        1 => Just(Act::Lose),
        2 => (1..30_u64).prop_map(|milliseconds| Act::Pass { milliseconds }),
    ]
}

fn adds(row: usize) -> Probe {
    // Rows that are only read are compared too.
    let other = ROWS[(row + 1) % ROWS.len()];
    Probe::new(
        move |_| Ok(vec![key(ROWS[row]), key(other)]),
        move |rows| increment(rows, &key(ROWS[row])),
    )
}

fn play(instance: &mut Instance, act: Act) {
    let world = instance.world.clone();
    let outcome = |commit: &Commit| world.commit(commit);
    let event = match (instance.take(), act) {
        (None, _) => return,
        (Some(Command::Load(_)), Act::Fail { .. } | Act::Lose) => {
            Event::Loaded(Err(countersign_store::Unavailable))
        }
        (Some(Command::Load(keys)), _) => Event::Loaded(Ok(world.load(&keys))),
        (Some(Command::Commit { commit, .. }), act) => Event::Committed(match act {
            Act::Fail { is_silent: false } => CommitOutcome::NotRun,
            Act::Fail { is_silent: true } => CommitOutcome::Unreachable,
            Act::Lose => {
                outcome(&commit);
                CommitOutcome::Unreachable
            }
            _ => outcome(&commit),
        }),
        (Some(_), _) => unreachable!("the rest is done at once"),
    };
    instance.tell(event);
}

/// Minimum and maximum count of each row.
fn counted(callers: &[(usize, Caller)]) -> Result<BTreeMap<usize, (u64, u64)>, TestCaseError> {
    let mut counts = BTreeMap::new();
    let mut outcomes = Vec::new();
    for (row, caller) in callers {
        let (certain, most): &mut (u64, u64) = counts.entry(*row).or_default();
        match caller.answer() {
            Some(Ok(count)) => {
                outcomes.push((*row, count));
                *certain += 1;
                *most += 1;
            }
            Some(Err(StoreError::Unreachable)) => *most += 1,
            Some(Err(StoreError::NotRun)) => {}
            answer => return Err(TestCaseError::fail(format!("{answer:?}"))),
        }
    }
    let answered = outcomes.len();
    outcomes.sort_unstable();
    outcomes.dedup();
    prop_assert_eq!(outcomes.len(), answered, "two steps had one outcome");
    Ok(counts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn every_step_is_committed_once_or_not_at_all(
        acts in prop::collection::vec((0..3_usize, act()), 1..150),
    ) {
        let world = World::default();
        let mut instances = [1, 2, 3].map(|id| Instance::new(&world, id));
        let mut callers = Vec::new();
        for (instance, act) in acts {
            let instance = &mut instances[instance];
            match act {
                Act::Submit { row, patience } => {
                    let probe = adds(row).within(Duration::from_millis(patience));
                    callers.push((row, instance.submit(probe)));
                }
                Act::Abandon => {
                    if let Some((_, caller)) = callers.last() {
                        caller.abandon();
                    }
                }
                Act::Pass { milliseconds } => {
                    world.pass(Duration::from_millis(milliseconds));
                    instance.wake_if_due();
                }
                act => play(instance, act),
            }
        }
        for instance in &mut instances {
            instance.run();
        }
        for (row, (certain, most)) in counted(&callers)? {
            let count = world.count(ROWS[row]);
            prop_assert!((certain..=most).contains(&count), "{certain} {count} {most}");
        }
    }
}
