//! Histories: steps one after the other, over minutes or weeks.
//!
//! Without concurrency and faults every outcome follows exactly from what happened before,
//! also where the clock was set. So each one is compared with a model that keeps plain
//! lists.

mod accounts;
mod breaker;
mod claims;
mod counter;
mod deliveries;
mod limited;
mod quotas;
mod service;
mod traffic;

use crate::random::Random;

/// Plays the history of a seed. Returns where it differs from its model.
pub(crate) fn play(seed: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    match random.index(3) {
        0 => traffic::play(&mut random),
        1 => limited::play(&mut random),
        _ => deliveries::play(&mut random),
    }
}
