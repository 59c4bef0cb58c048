//! The languages of the page.

/// The languages, as BCP 47 tags. The texts of each are in a file of the page,
/// `locales/<tag>.json`.
pub const PAGE_LOCALES: [&str; 13] = [
    "ar", "de", "en", "es", "fr", "he", "hi", "it", "ja", "pt", "ru", "zh", "zh-Hant",
];

/// Path of the document for a language and a start screen: one is rendered for each
/// combination when the page is built.
pub fn document(locale: &str, start: &str) -> String {
    format!("/documents/{locale}/{start}.html")
}

/// Path of a language's texts.
pub fn path(locale: &str) -> String {
    format!("/locales/{locale}.json")
}

/// The first preferred language that the page has. A preference is a BCP 47 tag such as
/// `pt-BR`, of which only the language counts (RFC 4647, lookup), and for Chinese the
/// script.
pub fn negotiate<'a>(wanted: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    wanted.into_iter().find_map(|tag| {
        let language = match tag.split(['-', '_']).next().unwrap_or_default() {
            // Java and old Android versions still use Hebrew's code from before 1989.
            "iw" => "he",
            language if language.eq_ignore_ascii_case("zh") && is_traditional_chinese(tag) => {
                "zh-Hant"
            }
            language => language,
        };
        PAGE_LOCALES
            .into_iter()
            .find(|locale| locale.eq_ignore_ascii_case(language))
    })
}

/// Decided by the script or, if absent, by the regions where it is usual.
pub(crate) fn is_traditional_chinese(tag: &str) -> bool {
    names(tag, &["hant"]) || (!names(tag, &["hans"]) && names(tag, &["tw", "hk", "mo"]))
}

/// Whether one of the subtags after the language is one of these.
fn names(tag: &str, parts: &[&str]) -> bool {
    let mut subtags = tag.split(['-', '_']).skip(1);
    subtags.any(|subtag| parts.iter().any(|part| subtag.eq_ignore_ascii_case(part)))
}

/// The direction of its script, in the form of HTML's `dir`.
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
    fn the_first_preference_that_the_page_has_is_chosen() {
        for (wanted, found) in [
            (&["pt-BR", "en"][..], Some("pt")),
            (&["xx", "DE-at"], Some("de")),
            (&["iw"], Some("he")),
            (&["zh"], Some("zh")),
            (&["zh-CN"], Some("zh")),
            (&["ZH-hans-HK"], Some("zh")),
            (&["zh-Hant"], Some("zh-Hant")),
            (&["zh-hant-tw", "en"], Some("zh-Hant")),
            (&["zh_TW"], Some("zh-Hant")),
            (&["zh-HK"], Some("zh-Hant")),
            (&["zh-MO"], Some("zh-Hant")),
            (&["zh-TW", "zh", "en"], Some("zh-Hant")),
            (&["en_US"], Some("en")),
            (&["xx", "", "*"], None),
            (&[], None),
        ] {
            assert_eq!(negotiate(wanted.iter().copied()), found, "{wanted:?}");
        }
    }

    #[test]
    fn two_languages_are_written_right_to_left() {
        let from_the_right = PAGE_LOCALES
            .into_iter()
            .filter(|locale| direction(locale) == "rtl");
        assert_eq!(from_the_right.collect::<Vec<_>>(), ["ar", "he"]);
    }
}
