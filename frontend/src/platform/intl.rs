//! Formatting by the browser's `Intl` (ECMA-402).

use countersign_shared::config::Country;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::js_sys::{Array, Function, Intl, Object, Reflect};

/// A country with its localized name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedCountry {
    /// ISO 3166-1 alpha-2.
    pub(crate) code: String,
    /// Localized name; the code if the browser has none.
    pub(crate) name: String,
    /// Its calling code.
    pub(crate) calling_code: u16,
}

fn languages(locale: &str) -> Array {
    Array::of1(&locale.into())
}

/// Formats a number in the language's digits, zero-padded to a minimum width.
pub(crate) fn number(locale: &str, number: u64, digits: u8) -> String {
    let options = Object::new();
    let _ = Reflect::set(&options, &"minimumIntegerDigits".into(), &digits.into());
    let format = Intl::NumberFormat::new(&languages(locale), &options).format();
    let text = format.call1(&JsValue::UNDEFINED, &as_number(number).into());
    text.ok()
        .and_then(|text| text.as_string())
        .unwrap_or_default()
}

/// The plural category of a count: `one`, `few`, `other` …
pub(crate) fn plural_category(locale: &str, count: u64) -> String {
    let rules = Intl::PluralRules::new(&languages(locale), &Object::new());
    String::from(rules.select(as_number(count)))
}

/// A relative time such as `in 2 minutes`.
pub(crate) fn relative_time(locale: &str, count: u64, unit: &str) -> String {
    let format = Intl::RelativeTimeFormat::new(&languages(locale), &Object::new());
    String::from(format.format(as_number(count), unit))
}

/// Countries with localized names, in the language's sort order.
pub(crate) fn named_countries(countries: &[Country], locale: &str) -> Vec<NamedCountry> {
    let languages = languages(locale);
    let names = display_names(&languages);
    let lines = countries.iter().map(|country| {
        let name = names.as_ref().and_then(|names| names.of(&country.code));
        let name = name.map_or_else(|| country.code.clone(), String::from);
        JsValue::from(format!(
            "{name}\0{}\0{}",
            country.code, country.calling_code
        ))
    });
    let lines: Array = lines.collect();
    // Compared by the browser itself: a closure of ours would be called two thousand
    // times.
    let compare = Intl::Collator::new(&languages, &Object::new()).compare();
    let sort = Reflect::get(&lines, &"sort".into()).unwrap_or_default();
    if let Ok(sort) = sort.dyn_into::<Function>() {
        let _ = sort.call1(&lines, &compare);
    }
    let countries = lines.iter().filter_map(|line| {
        let line = line.as_string()?;
        let mut parts = line.split('\0');
        Some(NamedCountry {
            name: parts.next()?.to_owned(),
            code: parts.next()?.to_owned(),
            calling_code: parts.next()?.parse().ok()?,
        })
    });
    countries.collect()
}

fn display_names(languages: &Array) -> Option<Intl::DisplayNames> {
    // Browsers older than 2021 lack it.
    let intl = Reflect::get(&super::window()?.into(), &"Intl".into()).ok()?;
    Reflect::has(&intl, &"DisplayNames".into())
        .ok()
        .filter(|has| *has)?;
    let options = Object::new();
    Reflect::set(&options, &"type".into(), &"region".into()).ok()?;
    Some(Intl::DisplayNames::new(languages, &options))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds and counts are far below 2^53"
)]
fn as_number(count: u64) -> f64 {
    count as f64
}
