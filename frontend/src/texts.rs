//! Every word the page says, in the reader's language.
//!
//! The words stand in `locales/<language>.json`; English is inside the program,
//! the others are fetched when they are wanted. Numbers, waits and plurals are
//! the browser's work (ECMA-402).

use countersign_shared::page_locale;
use wasm_bindgen::JsValue;
use web_sys::js_sys::{Array, Intl, Object, Reflect};

use crate::{api, json};

const ENGLISH: &str = include_str!("../locales/en.json");

/// The texts of one language.
#[derive(Clone)]
pub(crate) struct Texts {
    /// The language, by its ISO 639-1 code.
    pub(crate) locale: String,
    texts: JsValue,
}

impl Texts {
    /// The texts inside the program.
    pub(crate) fn english() -> Self {
        Self {
            locale: "en".to_owned(),
            texts: json::parse(ENGLISH).unwrap_or_default(),
        }
    }

    /// The texts of a language; the English ones where they do not come.
    pub(crate) async fn of(locale: &str) -> Self {
        if locale == "en" {
            return Self::english();
        }
        match api::texts(&page_locale::path(locale)).await {
            Ok(texts) => Self {
                locale: locale.to_owned(),
                texts,
            },
            Err(_) => Self::english(),
        }
    }

    /// The text of that key. Empty where there is none, which a test forbids.
    pub(crate) fn get(&self, key: &str) -> String {
        member(&self.texts, key)
            .and_then(|text| text.as_string())
            .unwrap_or_default()
    }

    /// The text of that key with something in its gap.
    pub(crate) fn filled(&self, key: &str, content: &str) -> String {
        fill(&self.get(key), content)
    }

    /// The text of that key for so many things.
    pub(crate) fn counted(&self, key: &str, count: u64) -> String {
        let rules = Intl::PluralRules::new(&self.languages(), &Object::new());
        let category = String::from(rules.select(as_number(count)));
        let forms = member(&self.texts, key).unwrap_or_default();
        let form = member(&forms, &category).or_else(|| member(&forms, "other"));
        let text = form.and_then(|form| form.as_string()).unwrap_or_default();
        fill(&text, &self.number(count, 1))
    }

    /// A number in the language's digits, with so many of them at least.
    pub(crate) fn number(&self, number: u64, digits: u8) -> String {
        let options = Object::new();
        let _ = Reflect::set(&options, &"minimumIntegerDigits".into(), &digits.into());
        let format = Intl::NumberFormat::new(&self.languages(), &options).format();
        let text = format.call1(&JsValue::UNDEFINED, &as_number(number).into());
        text.ok()
            .and_then(|text| text.as_string())
            .unwrap_or_default()
    }

    /// `75` as `1:15`.
    pub(crate) fn clock(&self, seconds: u64) -> String {
        format!(
            "{}:{}",
            self.number(seconds / 60, 1),
            self.number(seconds % 60, 2)
        )
    }

    /// A wait as `in 2 minutes`, never shorter than it is.
    pub(crate) fn when(&self, seconds: u64) -> String {
        let (count, unit) = match seconds {
            0..=90 => (seconds, "second"),
            91..=5_400 => (seconds.div_ceil(60), "minute"),
            _ => (seconds.div_ceil(3_600), "hour"),
        };
        let format = Intl::RelativeTimeFormat::new(&self.languages(), &Object::new());
        String::from(format.format(as_number(count), unit))
    }

    fn languages(&self) -> Array {
        Array::of1(&self.locale.as_str().into())
    }
}

/// Fills a text's only gap, `{…}`.
fn fill(text: &str, content: &str) -> String {
    match around_gap(text) {
        Some((before, after)) => format!("{before}{content}{after}"),
        // Some languages say one and two in words.
        None => text.to_owned(),
    }
}

/// What stands before and after a text's gap, if it has one.
pub(crate) fn around_gap(text: &str) -> Option<(&str, &str)> {
    let (before, rest) = text.split_once('{')?;
    Some((before, rest.split_once('}')?.1))
}

fn member(object: &JsValue, key: &str) -> Option<JsValue> {
    Reflect::get(object, &key.into())
        .ok()
        .filter(|value| !value.is_undefined())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds and counts are far below 2^53"
)]
fn as_number(count: u64) -> f64 {
    count as f64
}
