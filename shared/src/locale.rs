//! The language of the message.

use std::{fmt, ops::RangeInclusive};

use serde::{Deserialize, Deserializer, Serialize};

use crate::page_locale::is_traditional_chinese;

/// ISO 639-1 languages that can be requested. Plivo publishes no list, only the format of
/// the value; these are the two-letter languages that phones and voices are commonly set
/// to.
pub(crate) const LANGUAGES: [&str; 40] = [
    "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "he", "hi",
    "hr", "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "nb", "nl", "pl", "pt", "ro", "ru", "sk",
    "sl", "sv", "th", "tr", "uk", "ur", "vi", "zh",
];

/// Maximum length of a language tag: longer than any in real use.
const MAX_TAG: usize = 64;

/// A language, optionally with a country, in Plivo's format: `en` or `en_US`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Locale(String);

/// The text is not a supported locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLocale;

impl Locale {
    /// Parses `en`, `en_US` or the browser's `en-US`.
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

    /// The supported locale nearest to a BCP 47 tag such as `zh-Hant-TW`, `es-419` or
    /// `en-us`, also if spelt with `_`: its language, and its country if it names one.
    /// `None` if the language is not supported.
    pub fn nearest(tag: &str) -> Result<Option<Self>, InvalidLocale> {
        let tag = tag.replace('_', "-");
        if !is_well_formed(&tag) {
            return Err(InvalidLocale);
        }
        let tag = tag.to_ascii_lowercase();
        let mut subtags = tag.split('-');
        let language = subtags.next().unwrap_or_default();
        // Only before the first single letter, which begins an extension.
        let country = subtags
            .take_while(|subtag| subtag.len() > 1)
            .find(|subtag| is_letters(subtag, 2..=2));
        let country = match (usual(language), country) {
            ("zh", country) if is_traditional_chinese(&tag) => country
                .filter(|country| ["tw", "hk", "mo"].contains(country))
                .or(Some("tw")),
            ("zh", Some("tw" | "hk" | "mo")) => None,
            (_, country) => country,
        };
        let spelled = match country {
            Some(country) => format!("{}_{}", usual(language), country.to_ascii_uppercase()),
            None => usual(language).to_owned(),
        };
        Ok(Self::parse(&spelled).ok())
    }

    /// The locale in Plivo's format.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The supported language, for languages that have other codes too.
fn usual(language: &str) -> &str {
    match language {
        "iw" => "he",
        "in" => "id",
        "no" | "nn" => "nb",
        "cmn" => "zh",
        language => language,
    }
}

fn is_letters(subtag: &str, length: RangeInclusive<usize>) -> bool {
    length.contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Checks the part of the grammar of RFC 5646, 2.1, that every tag follows: a language of
/// two to eight letters (or `x` or `i`, for private-use and old tags), then subtags of
/// one to eight letters and digits.
fn is_well_formed(tag: &str) -> bool {
    let subtags: Vec<&str> = tag.split('-').collect();
    let is_part = |subtag: &&str| {
        (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let first = subtags[0];
    let is_language = is_letters(first, 2..=8)
        || (subtags.len() > 1 && ["x", "i"].iter().any(|it| first.eq_ignore_ascii_case(it)));
    tag.len() <= MAX_TAG && is_language && subtags[1..].iter().all(is_part)
}

impl fmt::Display for InvalidLocale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a locale such as en or en_US")
    }
}

impl std::error::Error for InvalidLocale {}

/// Deserialises a preferred language: the nearest supported one, or none.
pub(crate) fn wish<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Locale>, D::Error> {
    let tag = Option::<String>::deserialize(deserializer)?;
    let nearest = tag.map_or(Ok(None), |tag| Locale::nearest(&tag));
    nearest.map_err(serde::de::Error::custom)
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
    fn a_preference_is_mapped_to_the_nearest_supported_locale() {
        for (tag, nearest) in [
            ("en", Some("en")),
            ("en-us", Some("en_US")),
            ("EN_us", Some("en_US")),
            ("pt-BR", Some("pt_BR")),
            ("es-419", Some("es")),
            ("zh-Hant-TW", Some("zh_TW")),
            ("zh-Hant", Some("zh_TW")),
            ("zh-HK", Some("zh_HK")),
            ("zh-Hant-CN", Some("zh_TW")),
            ("zh-Hans-HK", Some("zh")),
            ("zh-CN", Some("zh_CN")),
            ("cmn-Hant", Some("zh_TW")),
            ("sr-Latn-RS", None),
            ("ca-ES-valencia", Some("ca_ES")),
            ("de-CH-1996", Some("de_CH")),
            ("de-x-at", Some("de")),
            ("en-u-hc-h23", Some("en")),
            ("de-a-us", Some("de")),
            ("iw-IL", Some("he_IL")),
            ("no", Some("nb")),
            ("nn-NO", Some("nb_NO")),
            ("xx", None),
            ("tlh", None),
            ("zebra", None),
            ("i-klingon", None),
            ("x-whatever", None),
        ] {
            let found = Locale::nearest(tag).unwrap();
            assert_eq!(found.as_ref().map(Locale::as_str), nearest, "{tag}");
        }
    }

    #[test]
    fn malformed_tags_are_refused() {
        for text in [
            "",
            "-",
            "e",
            "en-",
            "-en",
            "en--US",
            "e n",
            "en-US ",
            "1en",
            "en-\u{e9}",
            "x",
            "en-toolongsubtag",
            "languages",
            "en,de",
            "*",
        ] {
            assert_eq!(Locale::nearest(text), Err(InvalidLocale), "{text:?}");
        }
        let long = format!("en{}", "-abcdefgh".repeat(8));
        assert_eq!(Locale::nearest(&long), Err(InvalidLocale));
    }

    #[test]
    fn every_other_locale_is_refused() {
        for text in [
            "", "xx", "EN", "en_us", "en_USA", "en_US_x", "en-", "english", "e n",
        ] {
            assert_eq!(Locale::parse(text), Err(InvalidLocale), "{text:?}");
        }
    }
}
