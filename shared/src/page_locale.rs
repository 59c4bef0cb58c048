//! The languages the page is there in.

/// The languages, as BCP 47 tags. Each has its texts in a file of the page,
/// `locales/<tag>.json`.
pub const PAGE_LOCALES: [&str; 13] = [
    "ar", "de", "en", "es", "fr", "he", "hi", "it", "ja", "pt", "ru", "zh", "zh-Hant",
];

/// Where a language's document is read that begins so: one is rendered for each
/// language and each start, when the page is built.
pub fn document(locale: &str, start: &str) -> String {
    format!("/documents/{locale}/{start}.html")
}

/// Where a language's texts are read.
pub fn path(locale: &str) -> String {
    format!("/locales/{locale}.json")
}

/// The first of the wanted languages that the page is there in. A wish is a BCP
/// 47 tag such as `pt-BR`, of which the language counts (RFC 4647, lookup), and of
/// Chinese the script.
pub fn negotiate<'a>(wanted: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    wanted.into_iter().find_map(|tag| {
        let mut subtags = tag.split(['-', '_']);
        let language = match subtags.next().unwrap_or_default() {
            // Java and old Androids still call Hebrew by its name of before 1989.
            "iw" => "he",
            language if language.eq_ignore_ascii_case("zh") && is_traditional(subtags) => "zh-Hant",
            language => language,
        };
        PAGE_LOCALES
            .into_iter()
            .find(|locale| locale.eq_ignore_ascii_case(language))
    })
}

/// Whether what follows `zh` means the traditional script: by its name, or by a
/// place that writes it where no script is named.
fn is_traditional<'a>(subtags: impl Iterator<Item = &'a str>) -> bool {
    subtags
        .map(str::to_ascii_lowercase)
        .find_map(|subtag| match subtag.as_str() {
            "hant" | "tw" | "hk" | "mo" => Some(true),
            "hans" => Some(false),
            _ => None,
        })
        .unwrap_or(false)
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
            (&["zh"], Some("zh")),
            (&["zh-CN"], Some("zh")),
            (&["ZH-hans-HK"], Some("zh")),
            (&["zh-Hant"], Some("zh-Hant")),
            (&["zh-hant-tw", "en"], Some("zh-Hant")),
            (&["zh_TW"], Some("zh-Hant")),
            (&["zh-HK"], Some("zh-Hant")),
            (&["zh-MO"], Some("zh-Hant")),
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
