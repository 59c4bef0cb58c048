//! The texts: every language has each of them, each is used, and the markup says
//! in English what the English file says.

#![cfg(not(target_family = "wasm"))]

use std::{collections::BTreeMap, fs, path::Path};

use countersign_shared::{ErrorCode, page_locale::PAGE_LOCALES};
use serde_json::Value;

type Texts = BTreeMap<String, Value>;

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn texts(locale: &str) -> Texts {
    let path = home().join(format!("locales/{locale}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{locale}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{locale}: {error}"))
}

/// A text's gaps, `{…}`.
fn gaps(text: &str) -> Vec<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('}')?.0))
        .collect()
}

#[test]
fn every_language_has_every_text_with_its_gap() {
    let english = texts("en");
    for locale in PAGE_LOCALES {
        let texts = texts(locale);
        let missing: Vec<_> = english
            .keys()
            .filter(|key| !texts.contains_key(*key))
            .collect();
        let stale: Vec<_> = texts
            .keys()
            .filter(|key| !english.contains_key(*key))
            .collect();
        assert!(missing.is_empty(), "{locale} lacks {missing:?}");
        assert!(stale.is_empty(), "{locale} has more: {stale:?}");
        for (key, text) in &texts {
            match (text, &english[key]) {
                (Value::String(text), Value::String(english)) => {
                    assert!(!text.trim().is_empty(), "{locale} {key}");
                    assert_eq!(gaps(text), gaps(english), "{locale} {key}");
                    assert!(gaps(text).len() <= 1, "{locale} {key} has two gaps");
                }
                (Value::Object(forms), Value::Object(_)) => {
                    assert!(forms.contains_key("other"), "{locale} {key}");
                }
                _ => panic!("{locale} {key} has another form than in English"),
            }
        }
    }
}

#[test]
fn no_language_is_left_in_english() {
    let english = texts("en");
    for locale in PAGE_LOCALES.into_iter().filter(|locale| *locale != "en") {
        let same = texts(locale)
            .into_iter()
            .filter(|(key, text)| english[key] == *text)
            .count();
        assert!(same <= 5, "{locale}: {same} texts are the English ones");
    }
}

#[test]
fn files_and_languages_are_the_same() {
    let files = fs::read_dir(home().join("locales")).expect("a directory");
    let mut files: Vec<_> = files
        .map(|file| {
            file.expect("a file")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    files.sort();
    let mut locales = PAGE_LOCALES.map(|locale| format!("{locale}.json"));
    locales.sort();
    assert_eq!(files, locales);
}

#[test]
fn every_problem_has_a_text() {
    let texts = texts("en");
    for code in ErrorCode::ALL.iter().chain(&[ErrorCode::Unknown]) {
        let key = format!("error-{}", code.as_str());
        let text = texts.get(&key).and_then(Value::as_str).unwrap_or_default();
        assert!(text.len() > 20, "{key}");
    }
}

#[test]
fn every_text_is_used() {
    let mut sources = String::new();
    for directory in ["src", "src/components", "src/state"] {
        for file in fs::read_dir(home().join(directory)).expect("a directory") {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                sources += &fs::read_to_string(path).expect("a source");
            }
        }
    }
    for key in texts("en").keys().filter(|key| !key.starts_with("error-")) {
        assert!(
            sources.contains(&format!("\"{key}\"")),
            "nothing says {key}"
        );
    }
}

/// The page's own failures name their texts without the check of `key!`.
#[test]
fn every_failure_of_the_page_has_a_text() {
    let texts = texts("en");
    let source = include_str!("../src/state/failure.rs");
    let keys = source.lines().filter_map(|line| {
        let (_, key) = line.trim().strip_prefix("Self::")?.split_once("=> \"")?;
        key.strip_suffix("\",")
    });
    let keys: Vec<_> = keys.collect();
    assert!(keys.len() >= 10, "{keys:?}");
    for key in keys {
        assert!(texts.contains_key(key), "{key}");
    }
}
