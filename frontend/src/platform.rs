//! The only module, besides `api`, that uses the browser. Nothing here may be called
//! while prerendering: components call it in effects and event handlers.

pub(crate) mod clock;
pub(crate) mod document;
pub(crate) mod frame;
pub(crate) mod host;
pub(crate) mod intl;
pub(crate) mod json;
pub(crate) mod storage;
pub(crate) mod texts;
pub(crate) mod web_otp;

use countersign_shared::{Locale, SessionId};
use web_sys::Window;

fn window() -> Option<Window> {
    web_sys::window()
}

/// False if the browser reports that it is offline.
pub(crate) fn is_online() -> bool {
    window().is_none_or(|window| window.navigator().on_line())
}

/// The user's languages, preferred first.
pub(crate) fn languages() -> Vec<String> {
    let languages = window().map(|window| window.navigator().languages());
    languages
        .unwrap_or_default()
        .iter()
        .filter_map(|language| language.as_string())
        .collect()
}

/// The locale of the message: the user's variant of the page's language if they have
/// one, else the page's language.
pub(crate) fn message_locale(page: &str) -> Option<Locale> {
    let language = |tag: &str| tag.split('-').next().unwrap_or_default().to_owned();
    let own = languages()
        .into_iter()
        .find(|tag| language(tag) == language(page));
    own.and_then(|tag| Locale::parse(&tag).ok())
        .or_else(|| Locale::parse(page).ok())
}

/// Navigates to a URL, replacing this page in the history.
pub(crate) fn go_to(address: &str) {
    if let Some(window) = window() {
        // Only a malformed URL could fail, and the server has validated it.
        let _ = window.location().replace(address);
    }
}

/// A random idempotency key. None if the browser has no randomness.
pub(crate) fn random_key() -> Option<String> {
    let mut bytes = [0; 16];
    let crypto = window()?.crypto().ok()?;
    crypto.get_random_values_with_u8_array(&mut bytes).ok()?;
    Some(SessionId::from_random_bytes(bytes).to_string())
}
