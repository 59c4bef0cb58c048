//! The syntax check that every phone number passes first.

use std::fmt;

/// A phone number in E.164: `+`, then 7 to 15 digits of which the first is not
/// zero (ITU-T E.164, section 6).
///
/// This is the *syntax* only: the server decides by metadata and policy whether the
/// number exists and may be sent to. `Debug` and `Display` show the masked form;
/// [`PhoneNumber::as_str`] is the number itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

/// Why a text cannot be a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPhoneNumber {
    /// More than [`PhoneNumber::MAX_INPUT`] characters.
    TooLong,
    /// A character that is not a digit, the leading `+`, a space or one of `-.()`.
    ForbiddenCharacter,
    /// No `+` in front: we never guess the country.
    NoCountryCode,
    /// Not 7 to 15 digits, or a zero in front.
    NotE164,
}

impl PhoneNumber {
    /// Maximum length of the text.
    pub const MAX_INPUT: usize = 32;
    /// ITU-T E.164: at most 15 digits.
    const MAX_DIGITS: usize = 15;
    /// The shortest international numbers in use.
    const MIN_DIGITS: usize = 7;

    /// Parses a number as people write it: ASCII digits after one leading `+`, with
    /// spaces, `-`, `.`, `(` and `)` between them. Letters, extensions and invisible
    /// characters are never silently dropped: the code would go to a stranger.
    pub fn parse(text: &str) -> Result<Self, InvalidPhoneNumber> {
        if text.len() > Self::MAX_INPUT {
            return Err(InvalidPhoneNumber::TooLong);
        }
        let text = text.trim_matches(' ');
        let is_written = |byte: u8| byte.is_ascii_digit() || b" -.()".contains(&byte);
        let (plus, rest) = match text.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if !rest.bytes().all(is_written) {
            return Err(InvalidPhoneNumber::ForbiddenCharacter);
        }
        if !plus {
            return Err(InvalidPhoneNumber::NoCountryCode);
        }
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        let fits = (Self::MIN_DIGITS..=Self::MAX_DIGITS).contains(&digits.len());
        if !fits || digits.starts_with('0') {
            return Err(InvalidPhoneNumber::NotE164);
        }
        Ok(Self(format!("+{digits}")))
    }

    /// The number in E.164, with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number without its `+`, as in Plivo's answers.
    pub fn digits(&self) -> &str {
        &self.0[1..]
    }

    /// The number with all but its last two digits hidden, for logs and for clients that
    /// return to a session.
    pub fn masked(&self) -> String {
        let hidden = self.digits().len() - 2;
        format!("+{}{}", "•".repeat(hidden), &self.digits()[hidden..])
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PhoneNumber({})", self.masked())
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.masked())
    }
}

impl fmt::Display for InvalidPhoneNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TooLong => "longer than 32 characters",
            Self::ForbiddenCharacter => "a character that no phone number has",
            Self::NoCountryCode => "no country code",
            Self::NotE164 => "not 7 to 15 digits",
        })
    }
}

impl std::error::Error for InvalidPhoneNumber {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_spellings_of_a_number_are_one_number() {
        for text in [
            "+14155550123",
            "+1 (415) 555-0123",
            " +1.415.555.0123 ",
            "+1-415-555-0123",
        ] {
            assert_eq!(
                PhoneNumber::parse(text).unwrap().as_str(),
                "+14155550123",
                "{text:?}"
            );
        }
    }

    #[test]
    fn invalid_numbers_are_refused_with_a_reason() {
        use InvalidPhoneNumber::{ForbiddenCharacter, NoCountryCode, NotE164, TooLong};
        for (text, reason) in [
            ("", NoCountryCode),
            ("4155550123", NoCountryCode),
            ("+", NotE164),
            ("+123456", NotE164),
            ("+1234567890123456", NotE164),
            ("+04155550123", NotE164),
            ("+1415555O123", ForbiddenCharacter),
            ("+1415555\u{0}123", ForbiddenCharacter),
            ("+1415\u{200b}5550123", ForbiddenCharacter),
            ("+14155550123x5", ForbiddenCharacter),
            ("+14155550123;ext=5", ForbiddenCharacter),
            ("++14155550123", ForbiddenCharacter),
            ("+1415+5550123", ForbiddenCharacter),
            ("+١٤١٥٥٥٥٠١٢٣", ForbiddenCharacter),
            ("\t+14155550123", ForbiddenCharacter),
            ("+1 4 1 5 5 5 5 0 1 2 3            ", TooLong),
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(reason), "{text:?}");
        }
    }

    #[test]
    fn debug_and_display_show_only_two_digits() {
        let number = PhoneNumber::parse("+14155550123").unwrap();
        assert_eq!(number.to_string(), "+•••••••••23");
        assert_eq!(format!("{number:?}"), "PhoneNumber(+•••••••••23)");
    }
}
