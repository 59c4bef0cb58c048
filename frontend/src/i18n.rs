//! The page's texts, in the user's language.
//!
//! The texts are in `locales/<language>.json`. A key that is missing in English does
//! not compile; one that is missing in another language shows the English text.
//! Numbers, durations and plurals are formatted by the browser (`platform::intl`).

use leptos::prelude::*;

use crate::platform::intl;
pub use crate::platform::texts::Texts;

/// The English texts, which every key is checked against at compile time.
pub const ENGLISH: &str = include_str!("../locales/en.json");

/// The key of a text that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(&'static str);

impl Key {
    /// The key with that name. In a constant, as in `key!` and `t!`, a missing text is
    /// a compile error.
    ///
    /// # Panics
    ///
    /// If English lacks the text.
    pub const fn new(name: &'static str) -> Self {
        assert!(
            is_key(name.as_bytes(), ENGLISH.as_bytes()),
            "locales/en.json has no text of this key"
        );
        Self(name)
    }
}

/// Whether the JSON contains `"name":`.
const fn is_key(name: &[u8], json: &[u8]) -> bool {
    let mut start = 0;
    while start + name.len() + 2 < json.len() {
        if json[start] == b'"' {
            let mut same = 0;
            while same < name.len() && json[start + 1 + same] == name[same] {
                same += 1;
            }
            let end = start + 1 + same;
            if same == name.len() && json[end] == b'"' && json[end + 1] == b':' {
                return true;
            }
        }
        start += 1;
    }
    false
}

/// The key of a text, checked at compile time.
macro_rules! key {
    ($name:literal) => {
        const { $crate::i18n::Key::new($name) }
    };
}

/// A text in a view, as a signal that follows the language.
macro_rules! t {
    ($name:literal) => {
        $crate::i18n::text($crate::i18n::key!($name))
    };
}

pub(crate) use {key, t};

/// A signal of the text of a key in the current language. Call it in a component.
pub(crate) fn text(key: Key) -> Signal<String> {
    let language = I18n::expect();
    Signal::derive(move || language.get(key))
}

/// A language and its texts.
#[derive(Clone, Debug)]
pub struct Language {
    /// The language, as a BCP 47 tag.
    pub locale: String,
    texts: Texts,
}

impl Language {
    /// A language with its texts.
    pub fn new(locale: &str, texts: Texts) -> Self {
        Self {
            locale: locale.to_owned(),
            texts,
        }
    }

    /// The texts, with the English one for each that is missing.
    #[cfg(all(any(feature = "ssr", test), not(target_family = "wasm")))]
    #[must_use]
    pub fn or_english(self) -> Self {
        let english = serde_json::from_str(ENGLISH).unwrap_or_default();
        Self::new(&self.locale, self.texts.or(english))
    }

    /// All texts.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The text of that key.
    pub fn get(&self, key: Key) -> String {
        self.named(key.0)
    }

    /// The text of an error code. A test checks that every code has one.
    pub(crate) fn named(&self, name: &str) -> String {
        self.texts.text(name).unwrap_or_default()
    }

    /// The text of a key with its gap filled.
    pub(crate) fn filled(&self, key: Key, content: &str) -> String {
        fill(&self.get(key), content)
    }

    /// The text of a key in the plural form of a count.
    pub(crate) fn counted(&self, key: Key, count: u64) -> String {
        let category = intl::plural_category(&self.locale, count);
        let form = |category: &str| self.texts.form(key.0, category);
        let text = form(&category)
            .or_else(|| form("other"))
            .unwrap_or_default();
        fill(&text, &intl::number(&self.locale, count, 1))
    }

    /// Formats a number in the language's digits, zero-padded to a minimum width.
    pub(crate) fn number(&self, number: u64, digits: u8) -> String {
        intl::number(&self.locale, number, digits)
    }

    /// `75` as `1:15`.
    pub(crate) fn clock(&self, seconds: u64) -> String {
        format!(
            "{}:{}",
            self.number(seconds / 60, 1),
            self.number(seconds % 60, 2)
        )
    }

    /// A duration as `in 2 minutes`, rounded up.
    pub(crate) fn when(&self, seconds: u64) -> String {
        let (count, unit) = match seconds {
            0..=90 => (seconds, "second"),
            91..=5_400 => (seconds.div_ceil(60), "minute"),
            _ => (seconds.div_ceil(3_600), "hour"),
        };
        intl::relative_time(&self.locale, count, unit)
    }
}

/// The page's current language. `Copy`, because it is a signal.
#[derive(Clone, Copy)]
pub(crate) struct I18n(RwSignal<Language>);

impl I18n {
    pub(crate) fn new(language: Language) -> Self {
        Self(RwSignal::new(language))
    }

    /// The one in the context.
    pub(crate) fn expect() -> Self {
        expect_context()
    }

    /// The text of that key.
    pub(crate) fn get(self, key: Key) -> String {
        self.with(|language| language.get(key))
    }

    /// Reads something of the current language.
    pub(crate) fn with<T>(self, say: impl FnOnce(&Language) -> T) -> T {
        self.0.with(say)
    }

    /// The language's tag.
    pub(crate) fn locale(self) -> String {
        self.with(|language| language.locale.clone())
    }

    /// Switches the language.
    pub(crate) fn speak(self, language: Language) {
        self.0.set(language);
    }
}

/// Fills the text's only gap, `{…}`.
fn fill(text: &str, content: &str) -> String {
    match around_gap(text) {
        Some((before, after)) => format!("{before}{content}{after}"),
        // Some languages write "one" and "two" as words, without a gap.
        None => text.to_owned(),
    }
}

/// The text before and after its gap, if it has one.
pub(crate) fn around_gap(text: &str) -> Option<(&str, &str)> {
    let (before, rest) = text.split_once('{')?;
    Some((before, rest.split_once('}')?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_whole_name_with_a_text() {
        let json = br#"{ "send": "a", "resend-wait": "say \"verify\"" }"#;
        assert!(is_key(b"send", json));
        assert!(is_key(b"resend-wait", json));
        for name in ["resend", "sen", "verify", "a", ""] {
            assert!(!is_key(name.as_bytes(), json), "{name}");
        }
    }

    #[cfg(not(target_family = "wasm"))]
    #[test]
    fn a_missing_text_is_the_english_one() {
        let texts = serde_json::from_str(r#"{"verify": "Zebra"}"#).unwrap();
        let language = Language::new("xx", texts).or_english();
        assert_eq!(language.get(key!("verify")), "Zebra");
        assert_eq!(language.get(key!("reload")), "Reload");
        assert_eq!(language.locale, "xx");
    }

    #[test]
    fn a_gap_is_filled_once() {
        assert_eq!(fill("a {number} b", "{x}"), "a {x} b");
        assert_eq!(fill("no gap", "x"), "no gap");
    }
}
