//! Scrubs numbers, codes, ids and the account from Plivo's texts.

/// Maximum length of a text.
const LONGEST: usize = 160;
/// Shorter runs of digits are kept: `404`, `10 attempts`.
const FEW_DIGITS: usize = 3;
/// Ids are hexadecimal, with hyphens or without.
const SHORTEST_ID: usize = 16;

/// The private values of this account and this trial.
pub(super) struct Scrubber {
    private: Vec<String>,
}

impl Scrubber {
    pub(super) fn new(private: impl IntoIterator<Item = String>) -> Self {
        let mut scrubber = Self {
            private: Vec::new(),
        };
        private.into_iter().for_each(|word| scrubber.hide(word));
        scrubber
    }

    /// Adds a private value.
    pub(super) fn hide(&mut self, word: String) {
        if !word.is_empty() && !self.private.contains(&word) {
            self.private.push(word);
            // Longest first, because one may contain another.
            self.private
                .sort_by_key(|word| std::cmp::Reverse(word.len()));
        }
    }

    /// Scrubs a text, so that it may be printed and recorded.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for word in &self.private {
            text = replaced(&text, word);
        }
        let printable = text
            .chars()
            .map(|it| if it.is_control() { ' ' } else { it });
        let text: String = printable.collect();
        let words = text.split(' ').filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(without_id).collect();
        let text = without_numbers(&words.join(" "));
        text.chars().take(LONGEST).collect()
    }

    /// Whether a text still contains a private value.
    pub(super) fn finds_private(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.private
            .iter()
            .any(|word| text.contains(&word.to_lowercase()))
    }
}

/// Replaces text case-insensitively.
fn replaced(text: &str, word: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let word = word.to_ascii_lowercase();
    let mut out = String::new();
    let mut from = 0;
    for (at, found) in lower.match_indices(&word) {
        out += &text[from..at];
        out += "<private>";
        from = at + found.len();
    }
    out + &text[from..]
}

/// `8e712097-8090-4644-81e7-8f4265d8354e`, an address, a mail address.
fn without_id(word: &str) -> String {
    let core = word.trim_matches(|letter: char| letter.is_ascii_punctuation());
    let has = |test: fn(&char) -> bool| core.chars().filter(test).count();
    let mixed = has(char::is_ascii_digit) > 0 && has(char::is_ascii_alphabetic) > 0;
    if (mixed && core.len() >= SHORTEST_ID) || core.contains('@') || core.contains("://") {
        word.replace(core, "<id>")
    } else {
        word.to_owned()
    }
}

/// Runs of digits, also separated by spaces, hyphens, dots or brackets.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    let flush = |run: &mut String, out: &mut String| {
        let last = run
            .rfind(|letter: char| letter.is_ascii_digit())
            .map_or(0, |at| at + 1);
        let (number, rest) = run.split_at(last);
        let digits = number.chars().filter(char::is_ascii_digit).count();
        *out += if digits > FEW_DIGITS {
            "<number>"
        } else {
            number
        };
        *out += rest;
        run.clear();
    };
    for letter in text.chars() {
        let divides = matches!(letter, ' ' | '-' | '.' | '(' | ')' | '/') && !run.is_empty();
        if letter.is_ascii_digit() || divides {
            run.push(letter);
        } else {
            flush(&mut run, &mut out);
            out.push(letter);
        }
    }
    flush(&mut run, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_goes_and_the_words_stay() {
        let scrubber = Scrubber::new(["MAXXXXXXXXXXXXXXXXXX".to_owned(), "acme corp".to_owned()]);
        let cases = [
            ("incorrect otp", "incorrect otp"),
            (
                "session validated successfully.",
                "session validated successfully.",
            ),
            (
                "at most 10 validations, status 400",
                "at most 10 validations, status 400",
            ),
            ("code 123456 is wrong", "code <number> is wrong"),
            ("code 1 2 3 4 5 6.", "code <number>."),
            ("to +1 (415) 555-0123 now", "to +<number> now"),
            ("to 14155550123", "to <number>"),
            (
                "session 8e712097-8090-4644-81e7-8f4265d8354e not found",
                "session <id> not found",
            ),
            ("account maxxxxxxxxxxxxxxxxxx", "account <private>"),
            ("Acme Corp says no", "<private> says no"),
            (
                "mail ops@example.com or https://example.com/x",
                "mail <id> or <id>",
            ),
            ("two\nlines\u{1b}[31m", "two lines [31m"),
        ];
        for (said, expected) in cases {
            assert_eq!(scrubber.clean(said), expected);
        }
        assert_eq!(scrubber.clean(&"word ".repeat(99)).len(), LONGEST);
        assert!(scrubber.finds_private("{\"x\": \"MAxxxxxxxxxxxxxxxxxx\"}"));
        assert!(!scrubber.finds_private("{}"));
    }
}
