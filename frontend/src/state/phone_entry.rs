//! The phone field: normalizes typed or pasted text and parses it as a number.
//!
//! Only the format is validated here. The server decides whether a number exists and is
//! served.

use countersign_shared::{PhoneNumber, config::Country, phone_number::InvalidPhoneNumber};

use super::{FailureKind, digits};

/// The main country of each calling code that several share (ITU-T E.164 list of
/// assigned codes).
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

/// Parses the text as a number.
pub fn read(
    text: &str,
    country: Option<&Country>,
    countries: &[Country],
) -> Result<PhoneNumber, FailureKind> {
    let plain = digits::plain(text);
    if plain.trim().is_empty() {
        return Err(FailureKind::PhoneMissing);
    }
    if let Some(written) = international(text) {
        let number = PhoneNumber::parse(&written).map_err(FailureKind::Phone)?;
        return Ok(without_national_prefix(&number, countries));
    }
    let country = country.ok_or(FailureKind::CountryMissing)?;
    let plain = plain.trim();
    match PhoneNumber::parse(plain) {
        // Only digits and separators are allowed.
        Ok(_) | Err(InvalidPhoneNumber::NoCountryCode | InvalidPhoneNumber::NotE164) => {}
        Err(refused) => return Err(FailureKind::Phone(refused)),
    }
    let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
    let number = format!("+{}{}", country.calling_code, national(&digits, country));
    PhoneNumber::parse(&number).map_err(FailureKind::Phone)
}

/// True if the text contains its calling code.
pub fn names_country(text: &str) -> bool {
    international(text).is_some()
}

/// The text in international form, if it contains its calling code: `+44…`, `0044…`,
/// `tel:+44…`.
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

/// The national digits of a number typed without a plus. Some people write the calling
/// code without its plus: if the digits are no valid length for the country, but are
/// one without the calling code, it is removed.
fn national<'a>(digits: &'a str, country: &Country) -> &'a str {
    let as_typed = significant(digits, country);
    if !is_possible(as_typed, country)
        && let Some(rest) = digits.strip_prefix(&country.calling_code.to_string())
    {
        let behind = significant(rest, country);
        if is_possible(behind, country) {
            return behind;
        }
    }
    as_typed
}

/// Removes the national prefix. If the prefix begins with a zero, no number does;
/// elsewhere (8 in Russia, 1 in North America) the length tells a prefix from a digit
/// of the number.
fn significant<'a>(digits: &'a str, country: &Country) -> &'a str {
    // Without a prefix from the server: a zero, if the example number's length fits
    // then.
    let is_unsaid = country.groups.is_empty();
    let prefixes = country.national_prefixes.iter().map(String::as_str);
    let is_prefix = |prefix: &str, rest: &str| {
        let is_zero = prefix.starts_with('0') && !is_unsaid;
        is_zero || (is_possible(rest, country) && !is_possible(digits, country))
    };
    prefixes
        .chain(is_unsaid.then_some("0"))
        .filter_map(|prefix| Some((prefix, digits.strip_prefix(prefix)?)))
        .find(|(prefix, rest)| is_prefix(prefix, rest))
        .map_or(digits, |(_, rest)| rest)
}

/// Whether the country's mobile numbers have that many digits.
fn is_possible(digits: &str, country: &Country) -> bool {
    let example = || {
        let calling_code = format!("+{}", country.calling_code);
        let example = country.example.strip_prefix(&calling_code);
        example.is_some_and(|example| example.len() == digits.len())
    };
    match country.groups.as_slice() {
        [] => example(),
        groups => groups.iter().any(|groups| fits(groups, digits)),
    }
}

fn fits(groups: &[u8], digits: &str) -> bool {
    groups.iter().copied().map(usize::from).sum::<usize>() == digits.len()
}

/// Removes the national prefix from an international number: `+44 (0)7700…`.
fn without_national_prefix(number: &PhoneNumber, countries: &[Country]) -> PhoneNumber {
    let digits = number.digits();
    let national = country_of_number(digits, countries).and_then(|country| {
        let calling_code = country.calling_code.to_string();
        let national = significant(digits.strip_prefix(&calling_code)?, country);
        PhoneNumber::parse(&format!("+{calling_code}{national}")).ok()
    });
    national.unwrap_or_else(|| number.clone())
}

/// The main country of a shared calling code.
fn main_country(calling_code: u16, countries: &[Country]) -> Option<&Country> {
    let mut same_code = countries
        .iter()
        .filter(|country| country.calling_code == calling_code);
    let first = same_code.clone().next();
    same_code.find(|country| is_main(country)).or(first)
}

fn is_main(country: &Country) -> bool {
    MAIN_COUNTRIES.contains(&(country.calling_code, country.code.as_str()))
}

/// Of the countries that share the number's calling code, the one whose example number
/// is most similar.
fn country_of_number<'a>(digits: &str, countries: &'a [Country]) -> Option<&'a Country> {
    let calling_code = calling_code_of(digits, countries)?;
    let likeness = |country: &&Country| {
        let example = country.example.trim_start_matches('+');
        let same = example.bytes().zip(digits.bytes());
        (
            same.take_while(|(one, other)| one == other).count(),
            is_main(country),
        )
    };
    countries
        .iter()
        .filter(|country| country.calling_code == calling_code)
        .max_by_key(likeness)
}

/// The country of the text's calling code; the selected one if it shares the code.
pub fn country_of<'a>(text: &str, countries: &'a [Country], selected: &str) -> Option<&'a Country> {
    let digits: String = international(text)?
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let calling_code = calling_code_of(&digits, countries)?;
    countries
        .iter()
        .find(|country| country.calling_code == calling_code && country.code == selected)
        .or_else(|| main_country(calling_code, countries))
}

/// The calling code that the digits begin with. At most one matches, because no code is
/// a prefix of another (ITU-T E.164).
fn calling_code_of(digits: &str, countries: &[Country]) -> Option<u16> {
    (1..=digits.len().min(3))
        .filter_map(|length| digits[..length].parse::<u16>().ok())
        .find(|code| {
            countries
                .iter()
                .any(|country| country.calling_code == *code)
        })
}

/// The text after another country was selected: its calling code is replaced.
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

/// The initial country: the region of the first preferred language that names a served
/// one, else the United States, else the first.
pub fn guess<'a>(languages: &[String], countries: &'a [Country]) -> Option<&'a Country> {
    let named = |code: &str| countries.iter().find(|country| country.code == code);
    languages
        .iter()
        .flat_map(|language| language.split('-').skip(1))
        .find_map(|subtag| named(&subtag.to_ascii_uppercase()))
        .or_else(|| named("US"))
        .or_else(|| countries.first())
}

/// The number that will be texted, in its country's format.
pub fn preview(number: &PhoneNumber, countries: &[Country]) -> String {
    let number = without_national_prefix(number, countries);
    let digits = number.digits();
    let Some(country) = country_of_number(digits, countries) else {
        return number.as_str().to_owned();
    };
    let calling_code = country.calling_code.to_string();
    let national = digits.strip_prefix(&calling_code).unwrap_or(digits);
    format!("+{calling_code} {}", spaced(national, country))
}

/// The typed number, formatted, once it is valid. It stays national or international,
/// and no digit is added or changed. Text that already contains separators is left
/// alone.
pub fn format(text: &str, country: Option<&Country>, countries: &[Country]) -> Option<String> {
    let is_spaced = |c: char| c.is_ascii_digit() || c == '+' || c == ' ';
    if text.contains(' ') && text.chars().all(is_spaced) {
        return None;
    }
    let number = read(text, country, countries).ok()?;
    if international(text).is_some() {
        return Some(preview(&number, countries));
    }
    let calling_code = country?.calling_code;
    let plain = digits::plain(text);
    let typed: String = plain.chars().filter(char::is_ascii_digit).collect();
    let shown = preview(&number, countries);
    // If the typed digits end with the national number, the rest is a national prefix.
    let national = shown.strip_prefix(&format!("+{calling_code} "))?;
    let bare: String = national.chars().filter(char::is_ascii_digit).collect();
    let prefix = typed.strip_suffix(bare.as_str())?;
    let gap = if matches!(prefix, "" | "0") { "" } else { " " };
    Some(format!("{prefix}{gap}{national}"))
}

/// Digits in the country's grouping, or in groups that are easy to compare if it has
/// none for that length.
fn spaced(national: &str, country: &Country) -> String {
    let own = country
        .groups
        .iter()
        .find(|groups| groups.len() > 1 && fits(groups, national));
    let groups: &[u8] = match (own, country.calling_code, national.len()) {
        (Some(own), ..) => own,
        (None, 44, 10) => &[4, 6],
        (None, _, 7) => &[3, 4],
        (None, _, 8) => &[4, 4],
        (None, _, 9) => &[3, 3, 3],
        (None, _, 10) => &[3, 3, 4],
        (None, _, 11) => &[3, 4, 4],
        (None, _, 12) => &[4, 4, 4],
        _ => &[],
    };
    let mut rest = national;
    let mut spaced = String::new();
    for group in groups {
        let (head, tail) = rest.split_at(usize::from(*group));
        spaced.push_str(head);
        if !tail.is_empty() {
            spaced.push(' ');
        }
        rest = tail;
    }
    spaced + rest
}

#[cfg(test)]
mod tests;
