//! Whose phone: the strict gate, then metadata, then policy.

use countersign_shared::{Channel, PhoneNumber};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, enums::Region};

use crate::{AccessPolicy, CountryCode};

/// Ofcom keeps 07700 900000 to 900999 for drama: no phone has them, and so the
/// metadata knows none of them.
const FICTITIOUS_GB_MOBILES: &str = "+447700900";

/// The longest calling code (ITU-T E.164, 6.2.1).
const MAX_CALLING_CODE_DIGITS: usize = 3;

/// The last digits of a number, which its range does not have.
const RANGE_DIGITS: usize = 4;

/// Why no code goes to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// Not a phone number we can read.
    #[error("not a phone number")]
    Invalid,
    /// The country is not served.
    #[error("a country that is not served")]
    CountryNotAllowed,
    /// The kind of number cannot take the channel.
    #[error("a kind of number that cannot take the channel")]
    NumberTypeNotAllowed {
        /// Whether it can take another one that is offered here.
        other_channel: bool,
    },
}

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
    pub fn country_code(&self) -> CountryCode {
        CountryCode::of(&self.country)
    }

    /// The range it is in.
    pub fn range(&self) -> &str {
        range(&self.number)
    }
}

/// The range that a number is in: the number without its last digits. Fraud walks
/// through ranges.
pub fn range(number: &PhoneNumber) -> &str {
    let number = number.as_str();
    &number[..number.len() - RANGE_DIGITS]
}

/// The country of a number that was read before, by ISO 3166-1 alpha-2.
pub(crate) fn country_of_number(number: &PhoneNumber) -> Option<String> {
    let known = known(number, true).map(|known| known.region);
    let region = known.or_else(|| main_region(number))?;
    Some(region.as_region_str().to_string())
}

/// The country that a calling code is of first, where the metadata does not know the number.
fn main_region(number: &PhoneNumber) -> Option<Region> {
    let code = digit_by_digit(number)?.country_code;
    let region = PHONE_NUMBER_UTIL.get_region_for_country_code(code)?;
    (region != Region::World).then_some(region)
}

/// Reads a number that the operator lets through though the metadata may not know it, and
/// holds its calling code against the policy.
pub fn read_allowed(text: &str, policy: &AccessPolicy) -> Result<Recipient, RecipientError> {
    let number = PhoneNumber::parse(text).map_err(|_| RecipientError::Invalid)?;
    let country = country_of_number(&number).ok_or(RecipientError::Invalid)?;
    if policy.serves(&country) {
        Ok(Recipient { number, country })
    } else {
        Err(RecipientError::CountryNotAllowed)
    }
}

/// The recipient behind a number that was read before, whatever the policy now.
pub fn of_number(number: &PhoneNumber) -> Recipient {
    Recipient {
        number: number.clone(),
        country: country_of_number(number).unwrap_or_default(),
    }
}

/// Reads a number as a person wrote it and holds it against the policy.
pub fn read(
    text: &str,
    channel: Channel,
    policy: &AccessPolicy,
) -> Result<Recipient, RecipientError> {
    let typed = PhoneNumber::parse(text).map_err(|_| RecipientError::Invalid)?;
    let known = known(&typed, policy.fictitious_numbers).ok_or(RecipientError::Invalid)?;
    if !policy.serves(&known.region.as_region_str()) {
        return Err(RecipientError::CountryNotAllowed);
    }
    if takes(known.kind, channel) {
        Ok(Recipient {
            country: known.region.as_region_str().to_string(),
            number: known.number,
        })
    } else {
        let mut channels = policy.channels.iter();
        Err(RecipientError::NumberTypeNotAllowed {
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
pub(crate) fn digit_by_digit(typed: &PhoneNumber) -> Option<rlibphonenumber::PhoneNumber> {
    let (code, national) = (1..=MAX_CALLING_CODE_DIGITS).find_map(|length| {
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

/// Loads the metadata, which takes a moment, before the first caller waits.
pub fn warm_up() {
    let policy = AccessPolicy {
        countries: None,
        channels: vec![Channel::Sms],
        fictitious_numbers: false,
    };
    read("+14155550123", Channel::Sms, &policy).ok();
}

#[cfg(test)]
mod tests;
