//! Rehearses attacks and prints what they cost, as a table in Markdown.

use std::{io::Write, process::ExitCode};

use countersign_simulation::rehearsal;

/// As long as the incidents that the attacks are modelled on.
const DAYS: u32 = 5;

fn main() -> ExitCode {
    let written = std::io::stdout().write_all(rehearsal::table(DAYS).as_bytes());
    if written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
