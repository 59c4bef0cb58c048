//! The language a code is sent in.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// ISO 639-1 languages a code may be asked for in. Plivo publishes no list, only
/// the form of the value; these are the languages of two letters that phones
/// and voices are commonly set to.
pub(crate) const LANGUAGES: [&str; 40] = [
    "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "he", "hi",
    "hr", "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "nb", "nl", "pl", "pt", "ro", "ru", "sk",
    "sl", "sv", "th", "tr", "uk", "ur", "vi", "zh",
];

/// A language, optionally of a country, as Plivo writes it: `en` or `en_US`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Locale(String);

/// The text is no locale we send codes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLocale;

impl Locale {
    /// Reads `en`, `en_US` or the browser's `en-US`.
    pub fn parse(text: &str) -> Result<Self, InvalidLocale> {
        let (language, country) = match text.split_once(['_', '-']) {
            Some((language, country)) => (language, Some(country)),
            None => (text, None),
        };
        let is_country =
            |code: &str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if !LANGUAGES.contains(&language) || !country.is_none_or(is_country) {
            return Err(InvalidLocale);
        }
        Ok(Self(match country {
            Some(country) => format!("{language}_{country}"),
            None => language.to_owned(),
        }))
    }

    /// The locale in Plivo's form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InvalidLocale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a locale such as en or en_US")
    }
}

impl std::error::Error for InvalidLocale {}

impl<'de> Deserialize<'de> for Locale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_and_country_are_read_in_both_spellings() {
        for (text, read) in [("en", "en"), ("en_US", "en_US"), ("pt-BR", "pt_BR")] {
            assert_eq!(Locale::parse(text).unwrap().as_str(), read);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", "xx", "EN", "en_us", "en_USA", "en_US_x", "en-", "english", "e n",
        ] {
            assert_eq!(Locale::parse(text), Err(InvalidLocale), "{text:?}");
        }
    }
}
