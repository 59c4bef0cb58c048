//! Normalization of digits as keyboards and clipboards produce them.

/// The zero of each script whose digits phones and keyboards produce (Unicode general
/// category Nd). Full-width digits come from Japanese keyboards.
const ZEROS: [char; 19] = [
    '٠', '۰', '०', '০', '੦', '૦', '୦', '௦', '౦', '೦', '൦', '๐', '໐', '༠', '၀', '០', '᠐', '߀', '０',
];

/// Converts digits of any script, and typographic spaces, dashes and signs, to ASCII.
/// Only characters that cannot change a digit are removed: the invisible direction
/// marks that address books put around numbers.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .filter(|character| !is_direction_mark(*character))
        .map(plain_character)
        .collect()
}

/// Control characters of the bidirectional algorithm (UAX 9). Zero-width characters,
/// which may stand in for a lost digit, are not among them.
fn is_direction_mark(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

fn plain_character(character: char) -> char {
    match character {
        '\t'
        | '\n'
        | '\r'
        | '\u{a0}'
        | '\u{2000}'..='\u{200a}'
        | '\u{202f}'
        | '\u{205f}'
        | '\u{3000}' => ' ',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => '-',
        '＋' | '\u{fe62}' => '+',
        '（' | '\u{fe59}' => '(',
        '）' | '\u{fe5a}' => ')',
        '．' => '.',
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
        assert_eq!(plain("（０２０）７９４６．０９５８"), "(020)7946.0958");
        assert_eq!(plain("O1\u{200b}2"), "O1\u{200b}2");
    }

    #[test]
    fn marks_of_direction_go_wherever_they_stand_and_nothing_else() {
        for mark in "\u{200e}\u{200f}\u{61c}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".chars() {
            assert_eq!(plain(&format!("{mark}+1{mark}2{mark}")), "+12", "{mark:?}");
        }
        for kept in "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}x#".chars() {
            assert_eq!(plain(&format!("1{kept}2")), format!("1{kept}2"));
        }
    }
}
