//! A rehearsal of attacks, into the document about protection.

use std::fs;

use crate::command::{Outcome, cargo, output, say};

const DOCUMENT: &str = "docs/protection.md";
const BEGINS: &str = "<!-- cargo xtask rehearse -->\n";
const ENDS: &str = "<!-- the end of it -->";

/// Plays the attacks, prints what they cost, and writes it down.
pub(crate) fn rehearse(arguments: &[String]) -> Outcome {
    if !arguments.is_empty() {
        return Err("rehearse takes no argument".to_owned());
    }
    say("three attacks of five days, each with five protections: a minute or two");
    let mut command = cargo("run --release --quiet -p countersign-simulation --bin rehearse");
    let table = output(&mut command)?;
    say(&table);
    let document = fs::read_to_string(DOCUMENT).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    let parts = document
        .split_once(BEGINS)
        .and_then(|(before, rest)| Some((before, rest.split_once(ENDS)?.1)));
    let (before, after) = parts.ok_or(format!("{DOCUMENT} has no place for the table"))?;
    let document = format!("{before}{BEGINS}\n{}\n\n{ENDS}{after}", table.trim_end());
    fs::write(DOCUMENT, document).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    say(&format!("written to {DOCUMENT}"));
    Ok(())
}
