//! The phone field: what was typed or pasted, and the number it stands for.
//!
//! Only the shape is judged here. Whether a number exists and is served, the
//! server decides.

use countersign_shared::{PhoneNumber, config::Country};

use super::{FailureKind, digits};

/// The country to name where several share a calling code (ITU-T E.164 list of
/// assigned codes): the one with most numbers.
const MAIN_COUNTRIES: [(u16, &str); 12] = [
    (1, "US"),
    (7, "RU"),
    (39, "IT"),
    (44, "GB"),
    (47, "NO"),
    (61, "AU"),
    (212, "MA"),
    (262, "RE"),
    (290, "SH"),
    (358, "FI"),
    (590, "GP"),
    (599, "CW"),
];

/// The number that the text stands for, or what is wrong with it.
pub fn read(text: &str, country: Option<&Country>) -> Result<PhoneNumber, FailureKind> {
    if text.trim().is_empty() {
        return Err(FailureKind::PhoneMissing);
    }
    let written = international(text).or_else(|| country.map(|country| national(text, country)));
    let written = written.ok_or(FailureKind::CountryMissing)?;
    PhoneNumber::parse(&written).map_err(FailureKind::Phone)
}

/// True when the text names its country.
pub fn names_country(text: &str) -> bool {
    international(text).is_some()
}

/// The text with its `+`, when it names its country: `+44…`, `0044…`, `tel:+44…`.
fn international(text: &str) -> Option<String> {
    let plain = digits::plain(text);
    let plain = plain.trim();
    let plain = match plain.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => plain[4..].trim_start(),
        _ => plain,
    };
    if plain.starts_with('+') {
        return Some(plain.to_owned());
    }
    plain
        .strip_prefix("00")
        .map(|rest| format!("+{}", rest.trim_start()))
}

/// A national number behind its calling code. The digits stay as typed: a trunk
/// zero is the server's to judge, because some countries keep it.
fn national(text: &str, country: &Country) -> String {
    let plain = digits::plain(text);
    let plain = plain.trim();
    let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
    // In North America people write the calling code as a trunk prefix,
    // `1 415 555 0123`; no area code begins with 1.
    if country.calling_code == 1 && digits.len() == 11 && digits.starts_with('1') {
        return format!("+{plain}");
    }
    format!("+{} {plain}", country.calling_code)
}

/// The country that the text names by its calling code; the selected one where
/// it shares that code.
pub fn country_of<'a>(text: &str, countries: &'a [Country], selected: &str) -> Option<&'a Country> {
    let digits: String = international(text)?
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let calling_code = calling_code_of(&digits, countries)?;
    let same_code = || {
        countries
            .iter()
            .filter(move |country| country.calling_code == calling_code)
    };
    let main = MAIN_COUNTRIES
        .iter()
        .find(|(code, _)| *code == calling_code)
        .map(|(_, country)| *country);
    same_code()
        .find(|country| country.code == selected)
        .or_else(|| same_code().find(|country| Some(country.code.as_str()) == main))
        .or_else(|| same_code().next())
}

/// The calling code that the digits begin with. No code is the beginning of
/// another (ITU-T E.164), so at most one fits.
fn calling_code_of(digits: &str, countries: &[Country]) -> Option<u16> {
    (1..=digits.len().min(3))
        .filter_map(|length| digits[..length].parse::<u16>().ok())
        .find(|code| {
            countries
                .iter()
                .any(|country| country.calling_code == *code)
        })
}

/// The text after another country was chosen by hand: where it names the old
/// country's calling code, it now names the new one's.
pub fn with_country(text: &str, countries: &[Country], chosen: &Country) -> String {
    let Some(written) = international(text) else {
        return text.to_owned();
    };
    let behind_plus = written[1..].trim_start();
    let old = calling_code_of(behind_plus, countries).map(|code| code.to_string());
    match old.and_then(|old| behind_plus.strip_prefix(&old)) {
        Some(rest) => format!("+{}{rest}", chosen.calling_code),
        None => text.to_owned(),
    }
}

/// The country to begin with: the first of the reader's languages that names a
/// served region, else the United States, else the first.
pub fn guess<'a>(languages: &[String], countries: &'a [Country]) -> Option<&'a Country> {
    let named = |code: &str| countries.iter().find(|country| country.code == code);
    languages
        .iter()
        .flat_map(|language| language.split('-').skip(1))
        .find_map(|subtag| named(&subtag.to_ascii_uppercase()))
        .or_else(|| named("US"))
        .or_else(|| countries.first())
}

/// The number as it will be texted, spaced for reading. A zero that stands
/// between calling code and number is left out where the country's example shows
/// that numbers have none, as the server does.
pub fn preview(number: &PhoneNumber, countries: &[Country]) -> String {
    let digits = number.digits();
    let Some(calling_code) = calling_code_of(digits, countries) else {
        return number.as_str().to_owned();
    };
    let national = &digits[calling_code.to_string().len()..];
    let is_trunk_zero = |rest: &str| {
        countries
            .iter()
            .filter(|country| country.calling_code == calling_code)
            .any(|country| {
                let example = country.example.strip_prefix(&format!("+{calling_code}"));
                example
                    .is_some_and(|example| !example.starts_with('0') && example.len() == rest.len())
            })
    };
    let national = match national.strip_prefix('0') {
        Some(rest) if is_trunk_zero(rest) => rest,
        _ => national,
    };
    format!("+{calling_code} {}", spaced(national, calling_code))
}

/// What was typed, spaced for reading, once it is a number. It stays national or
/// international as it was typed; digits are neither added nor changed. Who
/// spaces a number has a way to, and keeps it.
pub fn format(text: &str, country: Option<&Country>, countries: &[Country]) -> Option<String> {
    let is_spaced = |c: char| c.is_ascii_digit() || c == '+' || c == ' ';
    if text.contains(' ') && text.chars().all(is_spaced) {
        return None;
    }
    let number = read(text, country).ok()?;
    if international(text).is_some() {
        return Some(preview(&number, countries));
    }
    let calling_code = country?.calling_code;
    let plain = digits::plain(text);
    let typed: String = plain.chars().filter(char::is_ascii_digit).collect();
    let shown = preview(&number, countries);
    // Where the number's own digits are the last of those that were typed, what
    // came before them is a trunk prefix.
    let national = shown.strip_prefix(&format!("+{calling_code} "))?;
    let bare: String = national.chars().filter(char::is_ascii_digit).collect();
    let prefix = typed.strip_suffix(bare.as_str())?;
    let gap = if matches!(prefix, "" | "0") { "" } else { " " };
    Some(format!("{prefix}{gap}{national}"))
}

/// Digits in groups that are easy to compare. Only looks: no country's own
/// custom except the two that nearly everyone knows.
fn spaced(national: &str, calling_code: u16) -> String {
    let groups: &[usize] = match (calling_code, national.len()) {
        (44, 10) => &[4, 6],
        (_, 7) => &[3, 4],
        (_, 8) => &[4, 4],
        (_, 9) => &[3, 3, 3],
        (_, 10) => &[3, 3, 4],
        (_, 11) => &[3, 4, 4],
        (_, 12) => &[4, 4, 4],
        _ => &[],
    };
    let mut rest = national;
    let mut spaced = String::new();
    for group in groups {
        let (head, tail) = rest.split_at(*group);
        spaced.push_str(head);
        if !tail.is_empty() {
            spaced.push(' ');
        }
        rest = tail;
    }
    spaced + rest
}

#[cfg(test)]
#[path = "phone_entry_tests.rs"]
mod tests;
