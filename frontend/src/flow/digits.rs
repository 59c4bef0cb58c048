//! What keyboards and clipboards make of digits.

/// The zero of each script whose digits phones and keyboards type (Unicode
/// general category Nd). Full-width digits come from Japanese keyboards.
const ZEROS: [char; 19] = [
    '٠', '۰', '०', '০', '੦', '૦', '୦', '௦', '౦', '೦', '൦', '๐', '໐', '༠', '၀', '០', '᠐', '߀', '０',
];

/// The same text with digits of any script as ASCII, and with the spaces, dashes
/// and plus signs of typesetting as plain ones. Nothing is taken away.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(plain_character).collect()
}

fn plain_character(character: char) -> char {
    match character {
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => ' ',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}' => '-',
        '＋' => '+',
        '（' => '(',
        '）' => ')',
        other => as_ascii_digit(other).unwrap_or(other),
    }
}

fn as_ascii_digit(character: char) -> Option<char> {
    let value = ZEROS.iter().find_map(|zero| {
        (u32::from(character).checked_sub(u32::from(*zero))).filter(|value| *value < 10)
    })?;
    char::from_digit(value, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_script_become_ascii() {
        for text in ["١٢٣", "۱۲۳", "१२३", "１２３", "๑๒๓"] {
            assert_eq!(plain(text), "123", "{text}");
        }
    }

    #[test]
    fn typesetting_becomes_plain_and_letters_stay() {
        assert_eq!(plain("＋44\u{a0}7700‑900"), "+44 7700-900");
        assert_eq!(plain("O1\u{200b}2"), "O1\u{200b}2");
    }
}
