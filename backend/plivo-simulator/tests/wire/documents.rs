//! The documents say what the simulator does.

use plivo_simulator::{Outcome, TABLE};

#[test]
fn the_document_lists_every_outcome() {
    let document = include_str!("../../../../docs/simulator.md");
    for (digits, outcome, meaning) in TABLE {
        assert!(
            document.contains(&format!("| `{digits}` | {meaning} |")),
            "{digits}"
        );
        assert_eq!(Outcome::of(&format!("141555501{digits}")), outcome);
    }
}
