//! The code field: normalizes its text and validates it as a code.

use super::{FailureKind, digits};

/// Number of digits in a code, until the server has said.
pub const USUAL_LENGTH: u8 = 6;

/// The text that the field should contain after a change. Spaces and dashes are
/// removed; of a pasted message only the code remains; other text is left for the user
/// to see.
pub fn tidy(text: &str, length: u8) -> String {
    let plain = digits::plain(text);
    let bare: String = plain.chars().filter(|c| !is_separator(*c)).collect();
    if bare.bytes().all(|byte| byte.is_ascii_digit()) {
        return once(bare, length);
    }
    code_within(&plain, length).unwrap_or_else(|| text.to_owned())
}

/// Reduces a code that was entered twice to one: some phones append the autofilled code
/// to the typed one, and people paste it behind. Two different codes are left alone.
fn once(digits: String, length: u8) -> String {
    match digits.split_at_checked(length.into()) {
        Some((first, second)) if first == second => first.to_owned(),
        _ => digits,
    }
}

/// Validates the field's text as a code.
pub fn read(text: &str, length: u8) -> Result<String, FailureKind> {
    let code = tidy(text, length);
    if code.is_empty() {
        Err(FailureKind::CodeMissing)
    } else if !code.bytes().all(|byte| byte.is_ascii_digit()) {
        Err(FailureKind::CodeNotDigits)
    } else if code.len() < usize::from(length) {
        Err(FailureKind::CodeTooShort)
    } else if code.len() > usize::from(length) {
        Err(FailureKind::CodeTooLong)
    } else {
        Ok(code)
    }
}

fn is_separator(character: char) -> bool {
    character == '-' || character.is_whitespace()
}

/// The only group of exactly `length` digits in a message, which may contain it twice
/// (<https://wicg.github.io/sms-one-time-codes/>). None if there are two different
/// ones.
fn code_within(message: &str, length: u8) -> Option<String> {
    let mut codes = message
        .split(|c: char| !c.is_ascii_digit() && !is_separator(c))
        .map(|group| {
            group
                .chars()
                .filter(char::is_ascii_digit)
                .collect::<String>()
        })
        .filter(|group| group.len() == usize::from(length));
    let code = codes.next()?;
    codes.all(|other| other == code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_codes_and_messages_yield_the_code() {
        for text in [
            "123456",
            "123-456",
            " 123 456 ",
            "123\u{2013}456\n",
            "Your code is 123456.",
            "G-123456 is your code",
            "<#> 123 456: your code, good for 10 minutes",
            "123456 is your code.\n\n@example.com #123456",
            "١٢٣٤٥٦",
            "\u{202a}123\u{202c}456",
            "１２３４５６",
            "123456123456",
            "123456 123 456",
            "Your code is 123456. 123456",
        ] {
            assert_eq!(tidy(text, 6), "123456", "{text:?}");
            assert_eq!(read(text, 6), Ok("123456".to_owned()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_code_stays_as_it_was_typed() {
        for text in ["12345O", "codes 123456 or 654321", "hello"] {
            assert_eq!(tidy(text, 6), text);
            assert_eq!(read(text, 6), Err(FailureKind::CodeNotDigits));
        }
    }

    #[test]
    fn only_the_very_same_code_twice_is_one() {
        for (text, length) in [
            ("123456123457", 6),
            ("1234561234", 6),
            ("123456123456123456", 6),
            ("1234512345", 6),
            ("12345678", 4),
        ] {
            assert_eq!(tidy(text, length), text);
        }
        assert_eq!(tidy("12341234", 4), "1234");
        assert_eq!(tidy("12341234", 8), "12341234");
    }

    #[test]
    fn the_length_is_the_servers() {
        assert_eq!(read("", 6), Err(FailureKind::CodeMissing));
        assert_eq!(read("123456", 8), Err(FailureKind::CodeTooShort));
        assert_eq!(read("1234567", 6), Err(FailureKind::CodeTooLong));
        assert_eq!(read("12345678", 8), Ok("12345678".to_owned()));
    }
}
