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
/// 47 tag such as `pt-BR`, of which the language counts (RFC 4647, lookup).
pub fn negotiate<'a>(wanted: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    wanted.into_iter().find_map(|tag| {
        let language = tag.split(['-', '_']).next().unwrap_or_default();
        PAGE_LOCALES
            .into_iter()
            // Java and old Androids still call Hebrew by its name of before 1989.
            .find(|locale| {
                locale.eq_ignore_ascii_case(language) || (language == "iw" && *locale == "he")
            })
    })
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
            (&["zh-Hant-TW"], Some("zh")),
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
