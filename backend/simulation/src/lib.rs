//! Deterministic simulation of Countersign's rules and its group committer, under a seeded
//! scheduler.
//!
//! It runs the real code: the transitions and the order of steps of `countersign-core`, and
//! the committer of `countersign-store` over its memory store. Everything around them is
//! simulated: people, several instances, the network to the store, Plivo, the clock, and
//! their faults. The same seed gives exactly the same schedule.

mod answers;
mod attempts;
mod beside;
mod books;
mod border;
mod budgets;
mod checker;
mod claims;
mod clock;
mod cooldowns;
mod counts;
mod deliveries;
mod ending;
mod event;
mod expected;
mod freed;
mod history;
mod io;
mod operator;
mod outcome;
mod person;
mod plivo;
mod quiet;
mod random;
pub mod rehearsal;
mod releases;
mod request;
mod resends;
mod reserve;
mod rows;
mod sessions;
mod settings;
mod settling;
mod step_outcomes;
mod steps;
mod told;
mod trips;
mod turns;
mod usage;
mod views;
mod waits;
mod watching;
mod world;

use world::World;

/// One in so many schedules is followed by a history.
const HISTORY_EVERY: u64 = 10;

/// Statistics of a schedule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Commits that reached the store.
    pub commits: u64,
    /// Commits that ended in a conflict.
    pub conflicts: u64,
    /// Steps whose outcome is unknown.
    pub in_doubt: u64,
    /// Sends that reached Plivo.
    pub sends: u64,
    /// Proofs that were returned, including repetitions.
    pub proofs: u64,
    /// Repetitions that found their answer.
    pub found_again: u64,
}

/// A schedule that violated an invariant.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// The violations.
    pub violations: Vec<String>,
    /// The events, if they were traced.
    pub trace: Vec<String>,
}

/// Runs the schedule of a seed to its end. `is_traced` records its events.
pub fn play(seed: u64, is_traced: bool) -> Result<Report, Failure> {
    let mut world = World::new(seed, is_traced);
    world.run();
    world.check_the_end();
    let World {
        mut checker, trace, ..
    } = world;
    if seed.is_multiple_of(HISTORY_EVERY) {
        checker.violations.extend(history::play(seed));
    }
    if checker.violations.is_empty() {
        return Ok(Report {
            commits: checker.commits,
            conflicts: checker.conflicts,
            in_doubt: checker.in_doubt,
            sends: checker.sends.len() as u64,
            proofs: checker.answers.proofs,
            found_again: checker.answers.found_again,
        });
    }
    Err(Failure {
        seed,
        violations: checker.violations,
        trace: trace.unwrap_or_default(),
    })
}
