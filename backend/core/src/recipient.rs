//! Parsing of recipients: strict syntax, then metadata, then policy.

use countersign_shared::{Channel, PhoneNumber};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, enums::Region};

use crate::{AccessPolicy, CountryCode};

/// Ofcom reserves 07700 900000 to 900999 for drama: no phone has them, so the metadata
/// does not know them.
const FICTITIOUS_GB_MOBILES: &str = "+447700900";

/// Maximum number of digits of a calling code (ITU-T E.164, 6.2.1).
const MAX_CALLING_CODE_DIGITS: usize = 3;

/// Final digits of a number that are not part of its range.
const RANGE_DIGITS: usize = 4;

/// Why no code can be sent to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// It is not a valid phone number.
    #[error("not a phone number")]
    Invalid,
    /// The policy does not serve its country.
    #[error("a country that is not served")]
    CountryNotAllowed,
    /// Its type of number cannot receive codes on the channel.
    #[error("a kind of number that cannot take the channel")]
    NumberTypeNotAllowed {
        /// Whether it can receive codes on another channel that the policy allows.
        other_channel: bool,
    },
}

/// What the metadata says about a number.
#[derive(Debug, PartialEq)]
struct Known {
    number: PhoneNumber,
    region: Region,
    kind: PhoneNumberType,
}

/// A number that codes may be sent to.
#[derive(Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The number in E.164.
    pub number: PhoneNumber,
    /// Its country, ISO 3166-1 alpha-2.
    pub country: String,
}

impl Recipient {
    /// The country, as used in metrics.
    pub fn country_code(&self) -> CountryCode {
        CountryCode::of(&self.country)
    }

    /// The range that the number is in.
    pub fn range(&self) -> &str {
        range(&self.number)
    }
}

/// The range that a number is in: the number without its last four digits. Fraud works
/// through whole ranges.
pub fn range(number: &PhoneNumber) -> &str {
    let number = number.as_str();
    &number[..number.len() - RANGE_DIGITS]
}

/// The country (ISO 3166-1 alpha-2) of a number that was parsed before.
pub(crate) fn country_of_number(number: &PhoneNumber) -> Option<String> {
    let known = known(number, true).map(|known| known.region);
    let region = known.or_else(|| main_region(number))?;
    Some(region.as_region_str().to_string())
}

/// The main country of the number's calling code, for numbers that the metadata does not
/// know.
fn main_region(number: &PhoneNumber) -> Option<Region> {
    let code = digit_by_digit(number)?.country_code;
    let region = PHONE_NUMBER_UTIL.get_region_for_country_code(code)?;
    (region != Region::World).then_some(region)
}

/// Parses a number that the operator allows even if the metadata does not know it, and
/// checks the country of its calling code against the policy.
pub fn read_allowed(text: &str, policy: &AccessPolicy) -> Result<Recipient, RecipientError> {
    let number = PhoneNumber::parse(text).map_err(|_| RecipientError::Invalid)?;
    let country = country_of_number(&number).ok_or(RecipientError::Invalid)?;
    if policy.serves(&country) {
        Ok(Recipient { number, country })
    } else {
        Err(RecipientError::CountryNotAllowed)
    }
}

/// The recipient of a number that was parsed before, regardless of the policy.
pub fn of_number(number: &PhoneNumber) -> Recipient {
    Recipient {
        number: number.clone(),
        country: country_of_number(number).unwrap_or_default(),
    }
}

/// Parses a number as a person wrote it and checks it against the policy.
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

/// The digits sent are the digits typed, with one exception: a single trunk zero right
/// after the calling code, as in `+44 (0)20`, is dropped if the country dials one. Any
/// other change by the metadata is refused: the code would go to a stranger.
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

/// The fast path for nearly every number: one that can receive codes exactly as typed.
/// The metadata's parser gives the same result, but takes twice the time.
fn plain(typed: &PhoneNumber) -> Option<Known> {
    let number = digit_by_digit(typed)?;
    let kind = PHONE_NUMBER_UTIL.get_number_type(&number);
    // On other types the parser may disagree: `+375 8 10…` is a premium-rate number, or
    // begins with a trunk prefix.
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

/// Splits the number into its calling code and the rest, without the metadata's parser.
pub(crate) fn digit_by_digit(typed: &PhoneNumber) -> Option<rlibphonenumber::PhoneNumber> {
    let (code, national) = (1..=MAX_CALLING_CODE_DIGITS).find_map(|length| {
        let (code, national) = typed.digits().split_at_checked(length)?;
        let code = code.parse().ok()?;
        let is_known = PHONE_NUMBER_UTIL
            .get_region_for_country_code(code)
            .is_some();
        is_known.then_some((code, national))
    })?;
    // In Italian numbers the leading zeros are part of the number.
    let zeros = national.len() - national.trim_start_matches('0').len();
    Some(rlibphonenumber::PhoneNumber {
        country_code: code,
        national_number: national.parse().ok()?,
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: (zeros > 1).then_some(i32::try_from(zeros).ok()?),
        ..Default::default()
    })
}

/// `None` for satellite and other networks without a country.
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
    // The metadata drops a zero only if it is the country's trunk prefix.
    national.is_some() && national == typed_national
}

/// The number if it is a fictitious one; its trunk zero is dropped as it is from real
/// ones.
fn fictitious(typed: &PhoneNumber) -> Option<PhoneNumber> {
    let digits = typed.digits().strip_prefix("44")?;
    let national = digits.strip_prefix('0').unwrap_or(digits);
    PhoneNumber::parse(&format!("+44{national}"))
        .ok()
        .filter(|number| number.as_str().starts_with(FICTITIOUS_GB_MOBILES))
        .filter(|number| number.as_str().len() == "+447700900000".len())
}

/// Whether a number of that type can receive a code on that channel. Premium and
/// shared-cost numbers cost the operator money or earn it for a fraudster; the other
/// types do not belong to one person.
fn takes(kind: PhoneNumberType, channel: Channel) -> bool {
    match kind {
        PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile => true,
        PhoneNumberType::FixedLine => channel == Channel::Voice,
        _ => false,
    }
}

/// Loads the metadata, which takes a moment, so that the first caller does not have to
/// wait.
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
