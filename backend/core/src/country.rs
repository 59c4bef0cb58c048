//! Countries, from the phone metadata.

use std::fmt;

use countersign_shared::{PhoneNumber, config::Country};
use rlibphonenumber::{
    PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType,
    enums::{NumberLengthType, Region},
};

use crate::{AccessPolicy, recipient};

/// Every prefix that some country dials in front of its own numbers (ITU-T E.164,
/// list of national prefixes).
const NATIONAL_PREFIXES: [&str; 5] = ["0", "06", "8", "1", "01"];

/// Maximum number of digits after a calling code (ITU-T E.164, 6.2.1).
const MAX_NATIONAL_NUMBER_LENGTH: usize = 14;

/// An ISO 3166-1 alpha-2 code, or `other`: whatever it is made from, it reveals no
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CountryCode(Option<[u8; 2]>);

impl CountryCode {
    /// The code, or `other` if the text is not two capitals.
    pub fn of(text: &str) -> Self {
        let letters: Option<[u8; 2]> = text.as_bytes().try_into().ok();
        Self(letters.filter(|letters| letters.iter().all(u8::is_ascii_uppercase)))
    }

    /// The country of a number that was parsed before, regardless of the policy.
    pub fn of_number(number: &PhoneNumber) -> Self {
        let country = recipient::country_of_number(number);
        Self::of(&country.unwrap_or_default())
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.as_ref().map(|letters| str::from_utf8(letters));
        formatter.write_str(letters.and_then(Result::ok).unwrap_or("other"))
    }
}

/// Whether the metadata has a country with that ISO 3166-1 code.
pub fn is_country(code: &str) -> bool {
    PHONE_NUMBER_UTIL
        .get_supported_regions()
        .any(|region| &*region.as_region_str() == code)
}

/// Every country in the metadata except these.
pub fn countries_but(excluded: &[&str]) -> Vec<String> {
    PHONE_NUMBER_UTIL
        .get_supported_regions()
        .map(|region| region.as_region_str().to_string())
        .filter(|code| !excluded.contains(&code.as_str()))
        .collect()
}

/// The countries of the policy, sorted by code, each with a mobile number as an example.
pub fn countries(policy: &AccessPolicy) -> Vec<Country> {
    let mut countries = PHONE_NUMBER_UTIL
        .get_supported_regions()
        .filter(|region| policy.serves(&region.as_region_str()))
        .filter_map(country)
        .collect::<Vec<_>>();
    countries.sort_by(|one, other| one.code.cmp(&other.code));
    countries
}

fn country(region: Region) -> Option<Country> {
    let example = PHONE_NUMBER_UTIL
        .get_example_number_for_type_and_region(region, PhoneNumberType::Mobile)
        .ok()?;
    Some(Country {
        code: region.as_region_str().to_string(),
        calling_code: PHONE_NUMBER_UTIL
            .get_country_code_for_region(region)
            .and_then(|code| u16::try_from(code).ok())?,
        example: PHONE_NUMBER_UTIL
            .format(&example, PhoneNumberFormat::E164)
            .into_owned(),
        national_prefixes: national_prefixes(&example, region),
        groups: groups(&example),
    })
}

/// The prefixes that the metadata accepts as the national prefix in front of the
/// country's numbers.
fn national_prefixes(example: &rlibphonenumber::PhoneNumber, region: Region) -> Vec<String> {
    let national = example.get_national_significant_number();
    let is_prefix = |prefix: &&str| {
        let dialled = format!("{prefix}{national}");
        let parsed = PHONE_NUMBER_UTIL.parse(&dialled, Some(region));
        parsed.is_ok_and(|parsed| parsed.get_national_significant_number() == national)
    };
    let prefixes = NATIONAL_PREFIXES.iter().filter(|prefix| is_prefix(prefix));
    prefixes.map(|prefix| (*prefix).to_owned()).collect()
}

/// How the country groups the digits of mobile numbers, for each length that they can
/// have: like the example, with fewer or more digits.
fn groups(example: &rlibphonenumber::PhoneNumber) -> Vec<Vec<u8>> {
    let digits = example.get_national_significant_number();
    let calling_code = example.country_code.to_string();
    let of_length = |length| {
        let digits: String = digits.chars().cycle().take(length).collect();
        let typed = PhoneNumber::parse(&format!("+{calling_code}{digits}")).ok()?;
        let number = recipient::digit_by_digit(&typed)?;
        let is_possible = PHONE_NUMBER_UTIL
            .is_possible_number_for_type_with_reason(&number, PhoneNumberType::Mobile);
        if is_possible != Ok(NumberLengthType::IsPossible) {
            return None;
        }
        let written = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::International);
        let national = written.strip_prefix('+')?.strip_prefix(&calling_code)?;
        let groups = national
            .split(|c: char| !c.is_ascii_digit())
            .filter(|group| !group.is_empty())
            .map(|group| u8::try_from(group.len()).ok());
        groups.collect::<Option<Vec<_>>>()
    };
    (1..=MAX_NATIONAL_NUMBER_LENGTH)
        .filter_map(of_length)
        .collect()
}

#[cfg(test)]
mod tests {
    use countersign_shared::Channel;

    use super::*;

    #[test]
    fn a_country_code_is_two_capitals_or_other() {
        for (text, shown) in [
            ("US", "US"),
            ("us", "other"),
            ("USA", "other"),
            ("", "other"),
        ] {
            assert_eq!(CountryCode::of(text).to_string(), shown);
        }
        let number = PhoneNumber::parse("+447700900123").unwrap();
        assert_eq!(CountryCode::of_number(&number).to_string(), "GB");
    }

    #[test]
    fn the_policys_countries_are_listed_with_an_example() {
        let policy = AccessPolicy {
            countries: Some(vec!["US".to_owned(), "GB".to_owned(), "XX".to_owned()]),
            channels: vec![Channel::Sms],
            fictitious_numbers: false,
        };
        let listed = countries(&policy);
        let codes: Vec<_> = listed
            .iter()
            .map(|it| (&*it.code, it.calling_code))
            .collect();
        assert_eq!(codes, [("GB", 44), ("US", 1)]);
        assert!(listed.iter().all(|it| it.example.starts_with('+')));
        assert!(is_country("DE") && !is_country("de") && !is_country("*"));
    }

    #[test]
    fn clients_learn_how_each_country_dials_and_writes_its_numbers() {
        let policy = AccessPolicy {
            countries: None,
            channels: vec![Channel::Sms],
            fictitious_numbers: false,
        };
        let countries = countries(&policy);
        let country = |code: &str| {
            countries
                .iter()
                .find(|country| country.code == code)
                .unwrap()
        };
        for (code, prefixes) in [
            ("GB", &["0"][..]),
            ("HU", &["06"]),
            ("RU", &["8"]),
            ("KZ", &["8"]),
            ("US", &["1"]),
            ("IT", &[]),
        ] {
            assert_eq!(country(code).national_prefixes, prefixes, "{code}");
        }
        for (code, groups) in [
            ("GB", &[4, 6][..]),
            ("FR", &[1, 2, 2, 2, 2]),
            ("HU", &[2, 3, 4]),
            ("US", &[3, 3, 4]),
        ] {
            assert!(country(code).groups.contains(&groups.to_vec()), "{code}");
        }
        for country in &countries {
            let national = country.example.len() - 1 - country.calling_code.to_string().len();
            let fits = |groups: &Vec<u8>| {
                groups.iter().copied().map(usize::from).sum::<usize>() == national
            };
            assert!(country.groups.iter().any(fits), "{}", country.code);
        }
    }
}
