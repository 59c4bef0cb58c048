//! Dates, as operators write them in files.

use crate::Millis;

const DAY: u64 = 86_400_000;

/// The end of a day in UTC, such as `2027-01-31`: the midnight after it. `None` if there
/// is no such day from 1970 to 9999.
pub(crate) fn end_of(text: &str) -> Option<Millis> {
    let mut parts = text.split('-');
    let mut part = |length: usize| {
        let part = parts.next().filter(|it| it.len() == length)?;
        let is_plain = part.bytes().all(|it| it.is_ascii_digit());
        is_plain.then(|| part.parse::<u64>().ok())?
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() || year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    if day == 0 || day > days_in(year, month) {
        return None;
    }
    let years = (1970..year)
        .map(|year| 365 + u64::from(is_leap(year)))
        .sum::<u64>();
    let months = (1..month).map(|month| days_in(year, month)).sum::<u64>();
    Some(Millis((years + months + day) * DAY))
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_the_midnight_after_it() {
        for (day, end) in [
            ("1970-01-01", Some(DAY)),
            ("2025-11-24", Some(1_764_028_800_000)),
            ("2028-02-29", Some(1_835_481_600_000)),
            ("2027-02-29", None),
            ("2027-13-01", None),
            ("2027-00-01", None),
            ("2027-01-00", None),
            ("2027-1-01", None),
            ("2027-01-01-01", None),
            ("2027-01", None),
            ("+027-01-01", None),
            ("", None),
        ] {
            assert_eq!(end_of(day), end.map(Millis), "{day}");
        }
    }
}
