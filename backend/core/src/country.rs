//! Countries, as the phone metadata knows them.

use std::fmt;

use countersign_shared::{PhoneNumber, config::Country};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, enums::Region};

use crate::{AccessPolicy, recipient};

/// An ISO 3166-1 alpha-2 code, or `other`: whatever it is made of, it names no
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CountryCode(Option<[u8; 2]>);

impl CountryCode {
    /// The code, or `other` where that is none.
    pub fn of(text: &str) -> Self {
        let letters: Option<[u8; 2]> = text.as_bytes().try_into().ok();
        Self(letters.filter(|letters| letters.iter().all(u8::is_ascii_uppercase)))
    }

    /// The country of a number that was read before, whatever the policy now.
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

/// Whether the metadata knows a country of that ISO 3166-1 code.
pub fn is_country(code: &str) -> bool {
    PHONE_NUMBER_UTIL
        .get_supported_regions()
        .any(|region| &*region.as_region_str() == code)
}

/// Every country that the metadata knows, without these.
pub fn countries_but(excluded: &[&str]) -> Vec<String> {
    PHONE_NUMBER_UTIL
        .get_supported_regions()
        .map(|region| region.as_region_str().to_string())
        .filter(|code| !excluded.contains(&code.as_str()))
        .collect()
}

/// The countries of the policy, by code, each with a mobile number as example.
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
    })
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
}
