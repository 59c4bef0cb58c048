//! What the page asks of the browser, besides fetch and storage.

use std::time::Duration;

use countersign_shared::{Locale, SessionId, config::Country};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Document, HtmlElement, HtmlInputElement, VisibilityState, Window,
    js_sys::{Array, Intl, Object, Reflect},
};

fn window() -> Option<Window> {
    web_sys::window()
}

fn document() -> Option<Document> {
    window()?.document()
}

/// The time since the page was opened. Unlike the time of day it never jumps.
pub(crate) fn now() -> Duration {
    let milliseconds = window()
        .and_then(|window| window.performance())
        .map_or(0.0, |performance| performance.now());
    Duration::try_from_secs_f64(milliseconds / 1_000.0).unwrap_or_default()
}

/// False when the device surely has no network.
pub(crate) fn is_online() -> bool {
    window().is_none_or(|window| window.navigator().on_line())
}

/// True while the page can be seen.
pub(crate) fn is_visible() -> bool {
    document().is_none_or(|document| document.visibility_state() == VisibilityState::Visible)
}

/// The reader's languages, the preferred one first.
pub(crate) fn languages() -> Vec<String> {
    window()
        .map(|window| window.navigator().languages())
        .map(|languages| {
            languages
                .iter()
                .filter_map(|language| language.as_string())
                .collect()
        })
        .unwrap_or_default()
}

/// The language to ask for the code in.
pub(crate) fn locale() -> Option<Locale> {
    let languages = languages();
    let preferred = languages.first()?;
    let language = preferred.split('-').next().unwrap_or_default();
    Locale::parse(preferred)
        .or_else(|_| Locale::parse(language))
        .ok()
}

/// The element of that id.
pub(crate) fn element(id: &str) -> Option<HtmlElement> {
    document()?.get_element_by_id(id)?.dyn_into().ok()
}

/// The input of that id.
pub(crate) fn input(id: &str) -> Option<HtmlInputElement> {
    element(id)?.dyn_into().ok()
}

/// True when that element has the focus.
pub(crate) fn has_focus(id: &str) -> bool {
    document()
        .and_then(|document| document.active_element())
        .is_some_and(|active| active.id() == id)
}

/// Moves the focus to the element of that id. The text of the code field is
/// selected, so that typing replaces it.
pub(crate) fn focus(id: &str) {
    if let Some(element) = element(id) {
        // Only an element that is gone cannot be focused.
        let _ = element.focus();
    }
    if let ("code", Some(input)) = (id, input(id)) {
        input.select();
    }
}

/// Names the tab.
pub(crate) fn set_title(title: &str) {
    if let Some(document) = document() {
        document.set_title(title);
    }
}

/// A name for one request, which a repetition of it bears too. Nothing when the
/// browser has no randomness.
pub(crate) fn random_key() -> Option<String> {
    let mut bytes = [0; 16];
    let crypto = window()?.crypto().ok()?;
    crypto.get_random_values_with_u8_array(&mut bytes).ok()?;
    Some(SessionId::from_random_bytes(bytes).to_string())
}

/// Countries with their names in the reader's language, sorted as that language
/// sorts. Where the browser has no names, the code stands for itself.
pub(crate) fn named_countries(countries: &[Country]) -> Vec<(String, Country)> {
    let languages: Array = languages()
        .iter()
        .map(|language| JsValue::from_str(language))
        .collect();
    let names = display_names(&languages);
    let collator = Intl::Collator::new(&languages, &Object::new()).compare();
    let comes_after = |left: &str, right: &str| {
        let order = collator.call2(&JsValue::UNDEFINED, &left.into(), &right.into());
        order.is_ok_and(|order| order.as_f64() > Some(0.0))
    };
    let mut sorted: Vec<(String, Country)> = Vec::new();
    for country in countries {
        let name = names.as_ref().and_then(|names| names.of(&country.code));
        let name = name.map_or_else(|| country.code.clone(), String::from);
        // Not `sort_by`: its code would be larger than all of this file.
        let place = sorted.partition_point(|(other, _)| !comes_after(other, &name));
        sorted.insert(place, (name, country.clone()));
    }
    sorted
}

fn display_names(languages: &Array) -> Option<Intl::DisplayNames> {
    // Browsers older than 2021 lack it.
    let intl = Reflect::get(&window()?.into(), &"Intl".into()).ok()?;
    Reflect::has(&intl, &"DisplayNames".into())
        .ok()
        .filter(|has| *has)?;
    let options = Object::new();
    Reflect::set(&options, &"type".into(), &"region".into()).ok()?;
    Some(Intl::DisplayNames::new(languages, &options))
}
