//! Countersign's rules and its group committer, played under a seeded scheduler.
//!
//! What runs is the real code: the transitions and the order of steps of
//! `countersign-core`, the committer of `countersign-store` over its memory store.
//! What is played is the world around them: people, several instances, the way to
//! the store, Plivo, the clock, and everything that goes wrong with them. The same
//! seed is the same schedule, to the letter.

mod answers;
mod border;
mod checker;
mod clock;
mod counts;
mod ending;
mod event;
mod io;
mod outcome;
mod person;
mod plivo;
mod random;
pub mod rehearsal;
mod request;
mod sessions;
mod settings;
mod steps;
mod told;
mod usage;
mod world;

use world::World;

/// What a schedule was like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Commits that reached the store.
    pub commits: u64,
    /// Commits that another instance was ahead of.
    pub conflicts: u64,
    /// Steps of which nobody knew whether they happened.
    pub in_doubt: u64,
    /// Codes that Plivo was asked to send.
    pub sends: u64,
    /// Proofs that were handed out, once or again.
    pub proofs: u64,
    /// Repetitions that found their answer.
    pub found_again: u64,
}

/// A schedule that broke a rule.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What did not hold.
    pub violations: Vec<String>,
    /// What happened, where it was written down.
    pub trace: Vec<String>,
}

/// Plays the schedule of a seed to its end. `is_traced` writes down what happens.
pub fn play(seed: u64, is_traced: bool) -> Result<Report, Failure> {
    let mut world = World::new(seed, is_traced);
    world.run();
    world.check_the_end();
    let World { checker, trace, .. } = world;
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
