//! What the page asks of the browser, besides fetch and storage.

use std::time::Duration;

use countersign_shared::{Locale, SessionId, config::Country};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Document, HtmlElement, HtmlInputElement, UrlSearchParams, VisibilityState, Window,
    js_sys::{Array, Date, Intl, Object, Reflect},
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

/// The time since 1970, by the device's clock: the same for every page, and
/// changed at will.
pub(crate) fn time_of_day() -> Duration {
    Duration::try_from_secs_f64(Date::now() / 1_000.0).unwrap_or_default()
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

/// The language to ask for the code in: the reader's own kind of the page's
/// language, or else the page's.
pub(crate) fn message_locale(page: &str) -> Option<Locale> {
    let own = languages()
        .into_iter()
        .find(|tag| tag.split('-').next() == Some(page));
    own.and_then(|tag| Locale::parse(&tag).ok())
        .or_else(|| Locale::parse(page).ok())
}

/// The element of that id.
pub(crate) fn element(id: &str) -> Option<HtmlElement> {
    document()?.get_element_by_id(id)?.dyn_into().ok()
}

/// What the field of that id holds.
pub(crate) fn value(id: &str) -> String {
    let value = element(id).and_then(|field| Reflect::get(&field, &"value".into()).ok());
    value
        .and_then(|value| value.as_string())
        .unwrap_or_default()
}

/// Puts a value into the field of that id. A field that holds it already is left
/// alone, so that no caret jumps.
pub(crate) fn set_value(id: &str, new: &str) {
    if let Some(field) = element(id).filter(|_| value(id) != new) {
        // Every field has a value.
        let _ = Reflect::set(&field, &"value".into(), &new.into());
    }
}

/// What the element of that id says.
pub(crate) fn text(id: &str) -> String {
    let text = element(id).and_then(|element| element.text_content());
    text.unwrap_or_default()
}

/// Does it again and again, for as long as the page is there.
pub(crate) fn every(pause: Duration, work: impl Fn() + 'static) {
    let work: Box<dyn Fn()> = Box::new(work);
    if let Ok(interval) = set_interval_with_handle(work, pause) {
        on_cleanup(move || interval.clear());
    }
}

/// The value of that name in the page's address.
pub(crate) fn query(name: &str) -> Option<String> {
    let search = window()?.location().search().ok()?;
    UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// Leaves for another page, which takes this one's place in the history.
pub(crate) fn go_to(address: &str) {
    if let Some(window) = window() {
        // Only an address that is none could fail, and the server has read it.
        let _ = window.location().replace(address);
    }
}

/// Hands a message to the page around this one, if that is of this origin.
pub(crate) fn tell_parent(message: &JsValue, origin: &str) {
    if let Some(parent) = window().and_then(|window| window.parent().ok()?) {
        // Only an origin that is none could fail, and the server has read it.
        let _ = parent.post_message(message, origin);
    }
}

/// The language that the page came in.
pub(crate) fn page_language() -> Option<String> {
    document()?.document_element()?.get_attribute("lang")
}

/// Tells readers and browsers the page's language, and its script's direction.
pub(crate) fn set_page_language(locale: &str, direction: &str) {
    if let Some(html) = document().and_then(|document| document.document_element()) {
        // Only an invalid name could fail.
        let _ = html.set_attribute("lang", locale);
        let _ = html.set_attribute("dir", direction);
    }
}

/// Moves the focus to the element of that id. The text of the code field is
/// selected, so that typing replaces it.
pub(crate) fn focus(id: &str) {
    if let Some(element) = element(id) {
        // Only an element that is gone cannot be focused.
        let _ = element.focus();
    }
    if let ("code", Some(input)) = (id, element(id)) {
        input.unchecked_into::<HtmlInputElement>().select();
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

/// Countries by name in the reader's language, as that language sorts: name, ISO
/// code, calling code. Where the browser has no names, the code stands for
/// itself.
pub(crate) fn named_countries(
    countries: &[Country],
    locale: &str,
) -> Vec<(String, String, String)> {
    let languages = Array::of1(&locale.into());
    let names = display_names(&languages);
    let all = countries.iter().map(|country| {
        let name = names.as_ref().and_then(|names| names.of(&country.code));
        let name = name.map_or_else(|| country.code.clone(), String::from);
        Array::of3(
            &name.into(),
            &country.code.as_str().into(),
            &country.calling_code.to_string().into(),
        )
    });
    let all: Array = all.collect();
    let collator = Intl::Collator::new(&languages, &Object::new()).compare();
    let name = |country: JsValue| country.unchecked_into::<Array>().get(0);
    // The browser sorts: code of our own would be larger than all of this file.
    let sorted = all.sort_by(&mut |left, right| {
        let order = collator.call2(&JsValue::UNDEFINED, &name(left), &name(right));
        match order.ok().and_then(|order| order.as_f64()) {
            Some(order) if order < 0.0 => -1,
            Some(order) if order > 0.0 => 1,
            _ => 0,
        }
    });
    let sorted = sorted.iter().filter_map(|country| {
        let country: Array = country.unchecked_into();
        let calling_code = country.get(2).as_string()?;
        Some((
            country.get(0).as_string()?,
            country.get(1).as_string()?,
            calling_code,
        ))
    });
    sorted.collect()
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
