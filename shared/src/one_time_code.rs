//! The code that a user enters.

use std::fmt;

/// A one-time code: 6 to 8 ASCII digits.
///
/// Plivo allows 4 to 8 (reference: create session); NIST SP 800-63B and OWASP
/// ASVS 6.5.4 ask for at least 20 bits, which is 6. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeCode(String);

/// The text is not a code of 6 to 8 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidOneTimeCode;

impl OneTimeCode {
    /// Minimum length of a code.
    pub const MIN_LENGTH: u8 = 6;
    /// Maximum length of a code.
    pub const MAX_LENGTH: u8 = 8;

    /// Parses a code: ASCII digits only, nothing around them.
    pub fn parse(text: &str) -> Result<Self, InvalidOneTimeCode> {
        let fits =
            (usize::from(Self::MIN_LENGTH)..=usize::from(Self::MAX_LENGTH)).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidOneTimeCode)
        }
    }

    /// The digits, only for the upstream request and the code field.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Number of digits.
    pub fn length(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OneTimeCode([redacted])")
    }
}

impl fmt::Display for InvalidOneTimeCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a code of 6 to 8 digits")
    }
}

impl std::error::Error for InvalidOneTimeCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_to_eight_digits_are_a_code() {
        for text in ["000000", "1234567", "12345678"] {
            assert_eq!(OneTimeCode::parse(text).unwrap().expose(), text);
        }
    }

    #[test]
    fn anything_else_is_not() {
        for text in [
            "",
            "12345",
            "123456789",
            " 123456",
            "12345a",
            "１２３４５６",
            "-12345",
        ] {
            assert_eq!(
                OneTimeCode::parse(text),
                Err(InvalidOneTimeCode),
                "{text:?}"
            );
        }
    }

    #[test]
    fn debug_hides_the_digits() {
        let code = OneTimeCode::parse("135790").unwrap();
        assert!(!format!("{code:?}").contains("135790"));
    }
}
