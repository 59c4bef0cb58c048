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

use std::time::Duration;

use countersign_core::SessionRules;
use countersign_shared::Locale;

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

/// What a history may change: ten minutes for a session, no wait, no known numbers and no
/// breaker.
fn plain_rules() -> SessionRules {
    SessionRules {
        otp_length: 6,
        session_lifetime: Duration::from_mins(10),
        checks_per_session: 5,
        resend_waits: vec![Duration::ZERO],
        default_locale: Locale::parse("en").expect("English is a language"),
        verified_owes_no_wait: false,
        known_numbers_for: None,
        conversion: None,
    }
}

/// Runs that many steps, or until one returns false because it differs from the model.
fn run(steps: u64, mut step: impl FnMut() -> bool) {
    for _ in 0..steps {
        if !step() {
            break;
        }
    }
}
