//! Whose phone: the strict gate, then metadata, then policy.

use countersign_shared::{Channel, PhoneNumber, config::Country};
use rlibphonenumber::{
    PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType,
    enums::{NumberLengthType, Region},
};

use super::Refusal;
use crate::{config::Policy, metrics::CountryCode};

/// Ofcom keeps 07700 900000 to 900999 for drama: no phone has them, and so the
/// metadata knows none of them.
const FICTITIOUS_GB_MOBILES: &str = "+447700900";

/// Of calling codes, in digits (ITU-T E.164, 6.2.1).
const LONGEST_CALLING_CODE: usize = 3;

/// Every prefix that some country dials in front of its own numbers (ITU-T E.164,
/// list of national prefixes).
const NATIONAL_PREFIXES: [&str; 5] = ["0", "06", "8", "1", "01"];

/// Of numbers behind a calling code, in digits (ITU-T E.164, 6.2.1).
const LONGEST_NATIONAL_NUMBER: usize = 14;

/// What the metadata says of a number.
#[derive(Debug, PartialEq)]
struct Known {
    number: PhoneNumber,
    region: Region,
    kind: PhoneNumberType,
}

/// A number that codes may go to.
#[derive(Debug, PartialEq, Eq)]
pub struct Recipient {
    /// In E.164.
    pub number: PhoneNumber,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

impl Recipient {
    /// The country, as metrics name it.
    pub(super) fn country_code(&self) -> CountryCode {
        CountryCode::of(&self.country)
    }
}

/// The country of a number that was read before, as metrics name it.
pub(super) fn country_code(number: &PhoneNumber) -> CountryCode {
    let region = known(number, true).map(|known| known.region.as_region_str().to_string());
    CountryCode::of(&region.unwrap_or_default())
}

/// Reads a number as a person wrote it and holds it against the policy.
pub fn read(text: &str, channel: Channel, policy: &Policy) -> Result<Recipient, Refusal> {
    let typed = PhoneNumber::parse(text).map_err(|_| Refusal::RecipientInvalid)?;
    let known = known(&typed, policy.fictitious_numbers).ok_or(Refusal::RecipientInvalid)?;
    if !is_served(known.region, policy) {
        return Err(Refusal::CountryNotAllowed);
    }
    if takes(known.kind, channel) {
        Ok(Recipient {
            country: known.region.as_region_str().to_string(),
            number: known.number,
        })
    } else {
        let mut channels = policy.channels.iter();
        Err(Refusal::NumberTypeNotAllowed {
            other_channel: channels.any(|other| takes(known.kind, *other)),
        })
    }
}

/// The digits that go out are the digits that were typed, with one exception:
/// a single trunk zero right after the calling code, as in `+44 (0)20`, is
/// dropped where the country dials one. Anything else the metadata would change
/// is refused: it would text a stranger.
fn known(typed: &PhoneNumber, fictitious_numbers: bool) -> Option<Known> {
    if fictitious_numbers && let Some(number) = fictitious(typed) {
        return Some(Known {
            number,
            region: Region::GB,
            kind: PhoneNumberType::Mobile,
        });
    }
    plain(typed).or_else(|| parsed(typed))
}

/// Nearly every number: one that takes codes digit by digit as it was typed. The
/// metadata's parser would say the same of it, at twice the time.
fn plain(typed: &PhoneNumber) -> Option<Known> {
    let number = digit_by_digit(typed)?;
    let kind = PHONE_NUMBER_UTIL.get_number_type(&number);
    // Of the others the parser may think otherwise: `+375 8 10…` is a number that
    // costs its caller money, or begins with a trunk prefix.
    let is_usual = matches!(
        kind,
        PhoneNumberType::Mobile | PhoneNumberType::FixedLine | PhoneNumberType::FixedLineOrMobile
    );
    is_usual.then_some(Known {
        number: typed.clone(),
        region: country_of(&number)?,
        kind,
    })
}

/// The calling code, and what is left.
fn digit_by_digit(typed: &PhoneNumber) -> Option<rlibphonenumber::PhoneNumber> {
    let (code, national) = (1..=LONGEST_CALLING_CODE).find_map(|length| {
        let (code, national) = typed.digits().split_at_checked(length)?;
        let code = code.parse().ok()?;
        let is_known = PHONE_NUMBER_UTIL
            .get_region_for_country_code(code)
            .is_some();
        is_known.then_some((code, national))
    })?;
    // Italy's numbers begin with zeros that are part of them.
    let zeros = national.len() - national.trim_start_matches('0').len();
    Some(rlibphonenumber::PhoneNumber {
        country_code: code,
        national_number: national.parse().ok()?,
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: (zeros > 1).then_some(i32::try_from(zeros).ok()?),
        ..Default::default()
    })
}

/// None for satellite and other networks of no country.
fn country_of(number: &rlibphonenumber::PhoneNumber) -> Option<Region> {
    let region = PHONE_NUMBER_UTIL.get_region_for_number(number)?;
    (region != Region::World).then_some(region)
}

fn parsed(typed: &PhoneNumber) -> Option<Known> {
    let parsed = PHONE_NUMBER_UTIL.parse(typed.as_str(), None).ok()?;
    let kind = PHONE_NUMBER_UTIL.get_number_type(&parsed);
    if kind == PhoneNumberType::Unknown {
        return None;
    }
    let region = country_of(&parsed)?;
    let formatted = PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::E164);
    let number = PhoneNumber::parse(&formatted).ok()?;
    let same = number == *typed || is_trunk_zero_dropped(typed, &number, parsed.country_code);
    same.then_some(Known {
        number,
        region,
        kind,
    })
}

fn is_trunk_zero_dropped(typed: &PhoneNumber, number: &PhoneNumber, calling_code: i32) -> bool {
    let calling_code = calling_code.to_string();
    let national = number.digits().strip_prefix(&calling_code);
    let typed_national = typed
        .digits()
        .strip_prefix(&calling_code)
        .and_then(|national| national.strip_prefix('0'));
    // The metadata drops a zero only where it is the country's trunk prefix.
    national.is_some() && national == typed_national
}

/// The number when it is one of those, with the trunk zero dropped that is
/// dropped from real ones too.
fn fictitious(typed: &PhoneNumber) -> Option<PhoneNumber> {
    let digits = typed.digits().strip_prefix("44")?;
    let national = digits.strip_prefix('0').unwrap_or(digits);
    PhoneNumber::parse(&format!("+44{national}"))
        .ok()
        .filter(|number| number.as_str().starts_with(FICTITIOUS_GB_MOBILES))
        .filter(|number| number.as_str().len() == "+447700900000".len())
}

/// Whether a number of that kind can take a code by that channel. Premium and
/// shared-cost numbers cost the operator or earn a fraudster money; the others
/// belong to no one person.
fn takes(kind: PhoneNumberType, channel: Channel) -> bool {
    match kind {
        PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile => true,
        PhoneNumberType::FixedLine => channel == Channel::Voice,
        _ => false,
    }
}

fn is_served(region: Region, policy: &Policy) -> bool {
    policy
        .countries
        .as_ref()
        .is_none_or(|served| served.iter().any(|code| **code == *region.as_region_str()))
}

/// Whether the metadata knows a country of that ISO 3166-1 code.
pub fn is_country(code: &str) -> bool {
    PHONE_NUMBER_UTIL
        .get_supported_regions()
        .any(|region| &*region.as_region_str() == code)
}

/// The countries of the policy, by code, each with a mobile number as example.
pub fn countries(policy: &Policy) -> Vec<Country> {
    let mut countries = PHONE_NUMBER_UTIL
        .get_supported_regions()
        .filter(|region| is_served(*region, policy))
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

/// The prefixes that the metadata takes for one in front of the country's numbers.
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

/// How the country writes mobile numbers, for each length that they can have: like
/// the example, with fewer or more digits.
fn groups(example: &rlibphonenumber::PhoneNumber) -> Vec<Vec<u8>> {
    let digits = example.get_national_significant_number();
    let calling_code = example.country_code.to_string();
    let of_length = |length| {
        let digits: String = digits.chars().cycle().take(length).collect();
        let typed = PhoneNumber::parse(&format!("+{calling_code}{digits}")).ok()?;
        let number = digit_by_digit(&typed)?;
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
    (1..=LONGEST_NATIONAL_NUMBER)
        .filter_map(of_length)
        .collect()
}

/// Loads the metadata, which takes a moment, before the first caller waits.
pub fn warm_up() {
    let policy = Policy {
        countries: None,
        channels: vec![Channel::Sms],
        fictitious_numbers: false,
    };
    read("+14155550123", Channel::Sms, &policy).ok();
}

#[cfg(test)]
mod tests;
