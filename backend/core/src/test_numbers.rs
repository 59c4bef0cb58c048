//! Test numbers in live mode, for app-store reviewers and end-to-end tests. Each has a
//! code of its own, and an end.

use std::{collections::HashMap, fmt, time::Duration};

use countersign_shared::{OneTimeCode, PhoneNumber};

use crate::{ApplicationId, Millis, date};

/// The first line.
const HEADER: &str = "number,code,until,application";
/// As long as one may be in force: what is forgotten must end by itself.
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
    /// A line, from 1, of an application that is not served.
    UnknownApplication(usize),
}

impl fmt::Display for InvalidTestNumbers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeader => write!(formatter, "the first line must be {HEADER}"),
            Self::Line(line) => write!(
                formatter,
                "line {line} must be a full number, a code with as many digits as OTP_LENGTH, the last \
                 day it holds, such as 2027-01-31, and the id of its application"
            ),
            Self::TooLong(line) => write!(formatter, "line {line} holds for more than 90 days"),
            Self::UnknownApplication(line) => write!(
                formatter,
                "line {line} is of an application that is not in APPLICATIONS_FILE; without that file \
                 there is one, default"
            ),
        }
    }
}

/// The numbers, each of one application, with its code and its end.
#[derive(Debug, Default)]
pub struct TestNumbers(HashMap<(PhoneNumber, ApplicationId), (OneTimeCode, Millis)>);

/// One line.
struct Entry {
    number: PhoneNumber,
    code: OneTimeCode,
    until: Millis,
    application: ApplicationId,
}

impl TestNumbers {
    /// Reads a list in CSV at that time: the header, then a number a line. Empty lines and
    /// lines that begin with `#` say nothing.
    pub fn parse(
        text: &str,
        otp_length: u8,
        is_served: impl Fn(&ApplicationId) -> bool,
        now: Millis,
    ) -> Result<Self, InvalidTestNumbers> {
        let text = text.trim_start_matches('\u{feff}');
        let mut lines = (1..)
            .zip(text.lines().map(str::trim))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        if lines.next().is_none_or(|(_, line)| line != HEADER) {
            return Err(InvalidTestNumbers::NoHeader);
        }
        let mut numbers = HashMap::new();
        for (number, line) in lines {
            let it = read(line, otp_length).ok_or(InvalidTestNumbers::Line(number))?;
            if it.until > now.after(MAX_TTL) {
                return Err(InvalidTestNumbers::TooLong(number));
            }
            if !is_served(&it.application) {
                return Err(InvalidTestNumbers::UnknownApplication(number));
            }
            numbers.insert((it.number, it.application), (it.code, it.until));
        }
        Ok(Self(numbers))
    }

    /// The code of a test number of that application, at that time.
    pub fn code_of(
        &self,
        number: &PhoneNumber,
        application: &ApplicationId,
        now: Millis,
    ) -> Option<&OneTimeCode> {
        let (code, until) = self.0.get(&(number.clone(), application.clone()))?;
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

fn read(line: &str, otp_length: u8) -> Option<Entry> {
    let words: Vec<&str> = line.split(',').map(str::trim).collect();
    let [number, code, until, application] = words[..] else {
        return None;
    };
    let code = (code.len() == usize::from(otp_length)).then_some(code)?;
    Some(Entry {
        number: PhoneNumber::parse(number).ok()?,
        code: OneTimeCode::parse(code).ok()?,
        until: date::end_of(until)?,
        application: ApplicationId::parse(application)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-11-24T16:00:00Z.
    const NOW: Millis = Millis(1_764_000_000_000);

    fn parse(entries: &str) -> Result<TestNumbers, InvalidTestNumbers> {
        let is_served = |id: &ApplicationId| ["shop", "bank"].contains(&id.as_str());
        TestNumbers::parse(&format!("{HEADER}\n{entries}"), 6, is_served, NOW)
    }

    fn shop() -> ApplicationId {
        ApplicationId::parse("shop").unwrap()
    }

    #[test]
    fn a_number_holds_through_its_last_day() {
        let numbers = parse("+14155550100,123456,2025-11-24,shop\n# ours\n").unwrap();
        let number = PhoneNumber::parse("+14155550100").unwrap();
        assert_eq!(numbers.len(), 1);
        assert!(numbers.code_of(&number, &shop(), NOW).is_some());
        let midnight = Millis(1_764_028_800_000);
        assert!(numbers.code_of(&number, &shop(), midnight).is_none());
        let other = PhoneNumber::parse("+14155550101").unwrap();
        assert!(numbers.code_of(&other, &shop(), NOW).is_none());
    }

    #[test]
    fn a_number_is_one_of_its_application_only() {
        let number = PhoneNumber::parse("+14155550100").unwrap();
        let bank = ApplicationId::parse("bank").unwrap();
        let code = |entries: &str, application: &ApplicationId| {
            let numbers = parse(entries).unwrap();
            let code = numbers.code_of(&number, application, NOW);
            code.map(|code| code.expose().to_owned())
        };
        let one = "+14155550100,123456,2025-12-01,shop\n";
        assert_eq!(code(one, &shop()).as_deref(), Some("123456"));
        assert_eq!(code(one, &bank), None);
        let both = format!("{one}+14155550100,654321,2025-12-01,bank\n");
        assert_eq!(code(&both, &shop()).as_deref(), Some("123456"));
        assert_eq!(code(&both, &bank).as_deref(), Some("654321"));
        let unknown = parse(&format!("{one}+14155550100,654321,2025-12-01,banks\n"));
        assert_eq!(
            unknown.map(drop),
            Err(InvalidTestNumbers::UnknownApplication(3))
        );
    }

    #[test]
    fn a_mistake_is_named_by_its_line() {
        for entry in [
            "4155550100,123456,2025-12-01,shop",
            "+14155550100,12345,2025-12-01,shop",
            "+14155550100,12345a,2025-12-01,shop",
            "+14155550100,123456,shop",
            "+14155550100,123456,soon,shop",
            "+14155550100,123456,2025-12-01",
            "+14155550100,123456,2025-12-01,",
            "+14155550100,123456,2025-12-01,shop,bank",
        ] {
            assert_eq!(
                parse(entry).map(drop),
                Err(InvalidTestNumbers::Line(2)),
                "{entry}"
            );
        }
        let entry = "+14155550100,123456,2026-03-01,shop";
        assert_eq!(parse(entry).map(drop), Err(InvalidTestNumbers::TooLong(2)));
        assert!(parse("+14155550100,123456,2026-02-22,shop").is_ok());
    }
}
