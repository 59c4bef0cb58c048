//! The languages the page is there in.

/// The languages, by their ISO 639-1 codes. Each has its texts in a file of the
/// page, `locales/<code>.json`.
pub const PAGE_LOCALES: [&str; 12] = [
    "ar", "de", "en", "es", "fr", "he", "hi", "it", "ja", "pt", "ru", "zh",
];

/// Where a language's texts are read.
pub fn path(locale: &str) -> String {
    format!("/locales/{locale}.json")
}

/// The first of the wanted languages that the page is there in. A wish is a BCP
/// 47 tag such as `pt-BR`, of which the language counts (RFC 4647, lookup). Chinese
/// is there in simplified characters only: readers of the traditional ones get
/// their next language, or English, also where their browser adds a plain `zh`.
pub fn negotiate<'a>(wanted: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    let mut is_traditional = false;
    let found = wanted.into_iter().find_map(|tag| {
        let language = tag.split(['-', '_']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") {
            is_traditional |= is_traditional_chinese(tag);
            if is_traditional && !names(tag, &["hans"]) {
                return None;
            }
        }
        PAGE_LOCALES
            .into_iter()
            // Java and old Androids still call Hebrew by its name of before 1989.
            .find(|locale| {
                locale.eq_ignore_ascii_case(language) || (language == "iw" && *locale == "he")
            })
    });
    found.or(is_traditional.then_some("en"))
}

/// By the script, or else by the places where it is the usual one.
pub(crate) fn is_traditional_chinese(tag: &str) -> bool {
    names(tag, &["hant"]) || (!names(tag, &["hans"]) && names(tag, &["tw", "hk", "mo"]))
}

/// Whether one of the tag's parts behind the language is one of these.
fn names(tag: &str, parts: &[&str]) -> bool {
    let mut subtags = tag.split(['-', '_']).skip(1);
    subtags.any(|subtag| parts.iter().any(|part| subtag.eq_ignore_ascii_case(part)))
}

/// The direction its script runs in, as HTML's `dir` names it.
pub fn direction(locale: &str) -> &'static str {
    match locale {
        "ar" | "he" => "rtl",
        _ => "ltr",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wish_that_is_there_counts() {
        for (wanted, found) in [
            (&["pt-BR", "en"][..], Some("pt")),
            (&["xx", "DE-at"], Some("de")),
            (&["iw"], Some("he")),
            (&["zh-CN"], Some("zh")),
            (&["zh-Hans-HK"], Some("zh")),
            (&["zh-Hant-TW"], Some("en")),
            (&["zh_TW"], Some("en")),
            (&["zh-HK", "zh", "fr"], Some("fr")),
            (&["zh-TW", "zh"], Some("en")),
            (&["zh-TW", "zh-Hans"], Some("zh")),
            (&["zh-hant", "de"], Some("de")),
            (&["en_US"], Some("en")),
            (&["xx", "", "*"], None),
            (&[], None),
        ] {
            assert_eq!(negotiate(wanted.iter().copied()), found, "{wanted:?}");
        }
    }

    #[test]
    fn two_scripts_run_from_the_right() {
        let from_the_right = PAGE_LOCALES
            .into_iter()
            .filter(|locale| direction(locale) == "rtl");
        assert_eq!(from_the_right.collect::<Vec<_>>(), ["ar", "he"]);
    }
}
