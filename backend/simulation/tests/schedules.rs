//! Runs thousands of schedules. The seeds are fixed, so a failure is caused by the change
//! under test.
//!
//! `SIMULATION_SEED=…` runs one and prints its events; `SIMULATION_SCHEDULES=…` runs that
//! many; `SIMULATION_MINUTES=…` runs for that long, from a random seed.

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use countersign_simulation::{Failure, Report, play};

const SCHEDULES: u64 = 20_000;

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

#[test]
fn every_schedule_keeps_the_rules() {
    if let Some(seed) = number("SIMULATION_SEED") {
        let outcome = play(seed, true);
        if let Err(failure) = outcome {
            println!("{}", failure.trace.join("\n"));
            panic!("seed {seed}: {:#?}", failure.violations);
        }
        return;
    }
    let minutes = number("SIMULATION_MINUTES").map(|it| Duration::from_secs(it * 60));
    let schedules = number("SIMULATION_SCHEDULES").unwrap_or(SCHEDULES);
    let first = minutes.map_or(0, |_| random_seed());
    let (next, started) = (AtomicU64::new(0), Instant::now());
    let is_over = |index| match minutes {
        Some(minutes) => started.elapsed() >= minutes,
        None => index >= schedules,
    };
    let worker = || {
        let (mut total, mut failures) = (Report::default(), Vec::new());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if is_over(index) {
                return (total, failures);
            }
            match play(first + index, false) {
                Ok(report) => total = sum(total, report),
                Err(failure) => failures.push(failure),
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<(Report, Vec<Failure>)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let results = threads.into_iter().map(|it| it.join().expect("no panic"));
        results.collect()
    });
    let total = results.iter().map(|it| it.0).fold(Report::default(), sum);
    let failures: Vec<&Failure> = results.iter().flat_map(|it| &it.1).collect();
    let played = next.load(Ordering::Relaxed) - threads as u64;
    let seconds = started.elapsed().as_secs();
    println!("{played} schedules from seed {first} in {seconds} s: {total:?}");
    for failure in failures.iter().take(3) {
        println!(
            "SIMULATION_SEED={} breaks: {:#?}",
            failure.seed, failure.violations
        );
    }
    let seeds: Vec<u64> = failures.iter().take(20).map(|it| it.seed).collect();
    assert!(
        failures.is_empty(),
        "{} of {played} schedules break a rule, such as {seeds:?}",
        failures.len()
    );
}

fn random_seed() -> u64 {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).expect("the operating system gives random bytes");
    u64::from_le_bytes(seed) >> 16
}

fn sum(one: Report, other: Report) -> Report {
    Report {
        commits: one.commits + other.commits,
        conflicts: one.conflicts + other.conflicts,
        in_doubt: one.in_doubt + other.in_doubt,
        sends: one.sends + other.sends,
        proofs: one.proofs + other.proofs,
        found_again: one.found_again + other.found_again,
    }
}

#[test]
fn the_same_seed_gives_the_same_schedule() {
    for seed in 0..20 {
        let [one, other] = [0, 1].map(|_| format!("{:?}", play(seed, true)));
        assert_eq!(one, other);
    }
}
