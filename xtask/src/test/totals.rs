//! What the test runners print, added up.

use crate::command::{Outcome, watch};

/// Tests counted so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

/// Runs tests and adds up their results. No test at all is a failure.
pub(super) fn count(
    command: &mut std::process::Command,
    totals: &mut Totals,
    read: fn(&str) -> Option<(u64, u64)>,
) -> Outcome {
    let mut seen = Totals::default();
    let outcome = watch(command, |line| {
        if let Some((passed, failed)) = read(line) {
            seen.passed += passed;
            seen.failed += failed;
        }
    });
    totals.passed += seen.passed;
    totals.failed += seen.failed;
    outcome?;
    match seen {
        Totals { failed: 1.., .. } => Err(format!("{} tests failed", seen.failed)),
        Totals { passed: 0, .. } => Err("no test was found".to_owned()),
        _ => Ok(()),
    }
}

/// `test result: ok. 3 passed; 0 failed; …`
pub(super) fn rust_line(line: &str) -> Option<(u64, u64)> {
    let (_, counts) = line
        .trim()
        .strip_prefix("test result: ")?
        .split_once(". ")?;
    Some((before(counts, " passed")?, before(counts, " failed")?))
}

/// `  3 passed (2.1s)` and `  1 failed`
pub(super) fn playwright_line(line: &str) -> Option<(u64, u64)> {
    let line = line.trim();
    let number = |word| {
        let (count, rest) = line.split_once(word)?;
        let alone = rest.is_empty() || rest.starts_with(" (");
        alone.then(|| count.parse().ok()).flatten()
    };
    let failed: Option<u64> = number(" failed").or_else(|| number(" flaky"));
    match (number(" passed"), failed) {
        (Some(passed), _) => Some((passed, 0)),
        (None, Some(failed)) => Some((0, failed)),
        (None, None) => None,
    }
}

/// `ok create …` and `FAILED create …`
pub(super) fn check_line(line: &str) -> Option<(u64, u64)> {
    match line.split(' ').next()? {
        "ok" => Some((1, 0)),
        "FAILED" => Some((0, 1)),
        _ => None,
    }
}

/// The number before `word`.
fn before(text: &str, word: &str) -> Option<u64> {
    let (before, _) = text.split_once(word)?;
    before.rsplit([' ', ';']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_from_each_runner() {
        let rust = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured";
        assert_eq!(rust_line(rust), Some((3, 2)));
        assert_eq!(rust_line("running 3 tests"), None);
        assert_eq!(playwright_line("  12 passed (3.4s)"), Some((12, 0)));
        assert_eq!(playwright_line("  1 failed"), Some((0, 1)));
        assert_eq!(playwright_line("  1 flaky"), Some((0, 1)));
        assert_eq!(playwright_line("the 3 passed quickly"), None);
        assert_eq!(check_line("ok create"), Some((1, 0)));
        assert_eq!(check_line("FAILED create"), Some((0, 1)));
    }
}
