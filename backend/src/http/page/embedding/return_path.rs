//! Whether a path is below another one, for every server that may interpret it.
//!
//! Browsers resolve `..` before they send a request, and so does the URL parser used here.
//! Servers behind the application's address may decode once more (a proxy), cut off
//! parameters of a segment (servlet containers: `..;/`), or treat a look-alike as the real
//! character. A path that any of them would read as another one is refused.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Maximum levels of percent-encoding. Legitimate paths are never encoded twice.
const MAX_ENCODINGS: usize = 8;

/// Characters that decoders treat as a dot or a slash: full-width forms, and what Unicode
/// normalisation (NFKC) or a code page maps to them.
const DOTS: [char; 5] = ['.', '\u{2024}', '\u{2025}', '\u{2026}', '\u{ff0e}'];
const SLASHES: [char; 7] = [
    '/', '\\', '\u{2044}', '\u{2215}', '\u{29f8}', '\u{ff0f}', '\u{ff3c}',
];

/// True for the allowed path itself and for paths below it. If every path is allowed,
/// disguised slashes do not matter.
pub(super) fn is_below(path: &str, allowed: &str) -> bool {
    let rest = path.strip_prefix(allowed);
    let is_below =
        rest.is_some_and(|rest| rest.is_empty() || allowed.ends_with('/') || rest.starts_with('/'));
    let readings = readings(path);
    is_below
        && readings.is_some_and(|readings| {
            let climbs = readings.iter().any(|reading| climbs(reading));
            let hides_slash = readings
                .iter()
                .skip(1)
                .any(|reading| reading.matches(SLASHES).count() > path.matches(SLASHES).count());
            !climbs && (allowed == "/" || !hides_slash)
        })
}

/// The path decoded once, twice and so on, until nothing is left to decode; none if the
/// result is not UTF-8.
fn readings(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut readings = vec![Cow::Borrowed(path)];
    while readings.len() <= MAX_ENCODINGS {
        let last = readings.last()?;
        let decoded = percent_decode_str(last).decode_utf8().ok()?.into_owned();
        if decoded == **last {
            return Some(readings);
        }
        readings.push(Cow::Owned(decoded));
    }
    None
}

/// True if a server may read a segment as `..` or `.`.
fn climbs(reading: &str) -> bool {
    reading.split(SLASHES).any(|segment| {
        let name = segment.split(';').next().unwrap_or_default();
        // Some file systems ignore trailing spaces, some programs stop at control
        // characters, and IIS reads `%u002e` as a dot.
        let is_padding = |c: char| c.is_whitespace() || c.is_control();
        let is_dotted =
            name.contains(DOTS) && name.chars().all(|c| DOTS.contains(&c) || is_padding(c));
        is_dotted
            || segment.contains(char::is_control)
            || segment.to_ascii_lowercase().contains("%u00")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_is_one_to_every_reader() {
        for path in [
            "/account/",
            "/account/phone",
            "/account/a.b/..c/.d/e..",
            "/account/v1;version=2/phone",
            "/account/100%25-cotton",
            "/account/caf%C3%A9/%E3%83%97",
            "/account/a%20b",
            "/account//phone",
        ] {
            assert!(is_below(path, "/account/"), "{path}");
        }
        for path in [
            "/account",
            "/accounts/",
            "/account/..",
            "/account/..;/admin",
            "/account/..;a=b/admin",
            "/account/.;/admin",
            "/account/..%3B/admin",
            "/account/..%253b/admin",
            "/account/%2e%2e/admin",
            "/account/%252e%252e/admin",
            "/account/%25252E%25252e%25252fadmin",
            "/account/.%252e/admin",
            "/account/%2e",
            "/account/..%2fadmin",
            "/account/..%5Cadmin",
            "/account/a%252fb",
            "/account/a%255cb",
            "/account/%c0%ae%c0%ae/admin",
            "/account/%c0%af",
            "/account/%E0%80%AE/admin",
            "/account/%u002e%u002e/admin",
            "/account/%25u002e%25u002e/admin",
            "/account/..%00/admin",
            "/account/.%09./admin",
            "/account/..%20/admin",
            "/account/...%20/admin",
            "/account/a%0d%0ab",
            "/account/%EF%BC%8E%EF%BC%8E/admin",
            "/account/..%EF%BC%8Fadmin",
            "/account/%E2%80%A5/admin",
        ] {
            assert!(!is_below(path, "/account/"), "{path}");
        }
        let often = format!("/account/%{}2e", "25".repeat(MAX_ENCODINGS));
        assert!(!is_below(&often, "/account/"));
    }

    #[test]
    fn where_every_path_is_allowed_only_what_climbs_is_refused() {
        assert!(is_below("/a%2Fb", "/"));
        assert!(is_below("/a/b", "/"));
        for path in ["/a/..;/b", "/%252e%252e/b", "/%c0%ae/b"] {
            assert!(!is_below(path, "/"), "{path}");
        }
        assert!(is_below("/done", "/done") && is_below("/done/more", "/done"));
        assert!(!is_below("/donemore", "/done"));
    }
}
