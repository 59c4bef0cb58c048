//! Test numbers in live mode, for app-store reviewers and end-to-end tests. Each has a
//! code of its own, and an end.

use std::{collections::HashMap, fmt, time::Duration};

use countersign_shared::{OneTimeCode, PhoneNumber};

use crate::{Millis, date};

/// The required first line.
const HEADER: &str = "number,code,until";
/// How long a test number may be in force: a forgotten one must expire by itself.
const MAX_TTL: Duration = Duration::from_hours(91 * 24);

/// What is wrong with a list of test numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidTestNumbers {
    /// The first line is not the header.
    NoHeader,
    /// A line (1-based) that is not a valid test number.
    Line(usize),
    /// A line (1-based) that would be in force for too long.
    TooLong(usize),
}

impl fmt::Display for InvalidTestNumbers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeader => write!(formatter, "the first line must be {HEADER}"),
            Self::Line(line) => write!(
                formatter,
                "line {line} must be a full number, a code with as many digits as OTP_LENGTH, and the \
                 last day it holds, such as 2027-01-31"
            ),
            Self::TooLong(line) => write!(formatter, "line {line} holds for more than 90 days"),
        }
    }
}

/// The numbers, each with its code and its end.
#[derive(Debug, Default)]
pub struct TestNumbers(HashMap<PhoneNumber, (OneTimeCode, Millis)>);

impl TestNumbers {
    /// Parses a list in CSV at `now`: the header, then one number per line. Empty lines
    /// and lines that begin with `#` are ignored.
    pub fn parse(text: &str, otp_length: u8, now: Millis) -> Result<Self, InvalidTestNumbers> {
        let text = text.trim_start_matches('\u{feff}');
        let mut lines = (1..)
            .zip(text.lines().map(str::trim))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        if lines.next().is_none_or(|(_, line)| line != HEADER) {
            return Err(InvalidTestNumbers::NoHeader);
        }
        let mut numbers = HashMap::new();
        for (number, line) in lines {
            let read = read(line, otp_length).ok_or(InvalidTestNumbers::Line(number))?;
            if read.2 > now.after(MAX_TTL) {
                return Err(InvalidTestNumbers::TooLong(number));
            }
            numbers.insert(read.0, (read.1, read.2));
        }
        Ok(Self(numbers))
    }

    /// The code of a test number in force at `now`.
    pub fn code_of(&self, number: &PhoneNumber, now: Millis) -> Option<&OneTimeCode> {
        let (code, until) = self.0.get(number)?;
        (*until > now).then_some(code)
    }

    /// The number of test numbers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no test numbers.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn read(line: &str, otp_length: u8) -> Option<(PhoneNumber, OneTimeCode, Millis)> {
    let mut words = line.split(',').map(str::trim);
    let (number, code, until) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || code.len() != usize::from(otp_length) {
        return None;
    }
    let number = PhoneNumber::parse(number).ok()?;
    Some((number, OneTimeCode::parse(code).ok()?, date::end_of(until)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-11-24T16:00:00Z.
    const NOW: Millis = Millis(1_764_000_000_000);

    fn parse(entries: &str) -> Result<TestNumbers, InvalidTestNumbers> {
        TestNumbers::parse(&format!("{HEADER}\n{entries}"), 6, NOW)
    }

    #[test]
    fn a_number_holds_through_its_last_day() {
        let numbers = parse("+14155550100,123456,2025-11-24\n# ours\n").unwrap();
        let number = PhoneNumber::parse("+14155550100").unwrap();
        assert_eq!(numbers.len(), 1);
        assert!(numbers.code_of(&number, NOW).is_some());
        assert!(
            numbers
                .code_of(&number, Millis(1_764_028_800_000))
                .is_none()
        );
        let other = PhoneNumber::parse("+14155550101").unwrap();
        assert!(numbers.code_of(&other, NOW).is_none());
    }

    #[test]
    fn a_mistake_is_named_by_its_line() {
        for entry in [
            "4155550100,123456,2025-12-01",
            "+14155550100,12345,2025-12-01",
            "+14155550100,12345a,2025-12-01",
            "+14155550100,123456",
            "+14155550100,123456,soon",
            "+14155550100,123456,2025-12-01,app",
        ] {
            assert_eq!(
                parse(entry).map(drop),
                Err(InvalidTestNumbers::Line(2)),
                "{entry}"
            );
        }
        let entry = "+14155550100,123456,2026-03-01";
        assert_eq!(parse(entry).map(drop), Err(InvalidTestNumbers::TooLong(2)));
        assert!(parse("+14155550100,123456,2026-02-22").is_ok());
    }
}
