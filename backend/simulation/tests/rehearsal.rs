//! The effect of each protection, in simulated attacks.

use std::path::Path;

use countersign_simulation::rehearsal::{Protections, Report, by_night, ring, slow, table};

const NONE: Protections = Protections {
    known_numbers: false,
    breaker: false,
    cap: false,
};
const BREAKER: Protections = Protections {
    breaker: true,
    ..NONE
};
const BOTH: Protections = Protections {
    known_numbers: true,
    ..BREAKER
};

/// At most a fifth.
fn is_a_fifth(less: Report, all: Report) -> bool {
    less.pumped * 5 <= all.pumped
}

#[test]
fn a_slow_attack_is_stopped_in_its_ranges_and_known_numbers_pass() {
    let (alone, breaker, both) = (slow(2, NONE), slow(2, BREAKER), slow(2, BOTH));
    assert!(alone.pumped > 1_500, "{alone:?}");
    assert!(
        is_a_fifth(breaker, alone) && is_a_fifth(both, alone),
        "{both:?} {alone:?}"
    );
    assert!(
        both.known_refused <= breaker.known_refused,
        "{both:?} {breaker:?}"
    );
    // The breaker stops the ranges, not their country.
    assert!(both.strangers_refused <= 40, "{both:?}");
    // Occasionally two people have the same number.
    assert!(
        both.known_refused == 0 && both.others_refused <= 2,
        "{both:?}"
    );
}

#[test]
fn an_attack_by_night_is_stopped_and_known_numbers_pass() {
    let (alone, both) = (by_night(2, NONE), by_night(2, BOTH));
    assert!(alone.pumped > 2_000, "{alone:?}");
    assert!(both.pumped * 4 <= alone.pumped, "{both:?} {alone:?}");
    assert!(both.known_refused * 50 <= both.served, "{both:?}");
}

#[test]
fn known_numbers_do_not_help_a_ring_that_verifies_its_own_numbers() {
    let (breaker, both) = (ring(2, BREAKER), ring(2, BOTH));
    assert!(
        both.pumped <= breaker.pumped * 5 / 4,
        "{both:?} {breaker:?}"
    );
}

/// `cargo xtask rehearse` updates the table.
#[test]
#[ignore = "long"]
fn the_document_contains_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protection.md");
    let document = std::fs::read_to_string(path).expect("the document is there");
    let table = table(5);
    assert!(
        document.contains(table.trim_end()),
        "it should hold:\n{table}"
    );
}
