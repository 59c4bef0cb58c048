//! The document around the components: its root, its title, its data.

use leptos::prelude::{on_cleanup, window_event_listener_untyped};
use wasm_bindgen::JsCast;
use web_sys::{Document, Element, HtmlElement, VisibilityState};

/// Where the components are put: the one element that is found by its id.
const MOUNT_POINT: &str = "app";
/// The block of data with the texts of the document's language.
#[cfg(feature = "hydrate")]
const TEXTS: &str = "texts";

fn document() -> Option<Document> {
    super::window()?.document()
}

fn root() -> Option<Element> {
    document()?.document_element()
}

/// Where the components are put.
pub(crate) fn mount_point() -> Option<HtmlElement> {
    let element = document()?.get_element_by_id(MOUNT_POINT)?;
    element.dyn_into().ok()
}

/// The texts that came with the document, as JSON.
#[cfg(feature = "hydrate")]
pub(crate) fn texts() -> Option<String> {
    document()?.get_element_by_id(TEXTS)?.text_content()
}

/// What the document's root says about the page.
pub(crate) fn attribute(name: &str) -> Option<String> {
    root()?.get_attribute(name)
}

/// Says something about the page on the document's root, for the style.
pub(crate) fn set_attribute(name: &str, value: &str) {
    if let Some(root) = root() {
        // Only an invalid name could fail.
        let _ = root.set_attribute(name, value);
    }
}

/// Whether the document's root says that; from now on it does not.
pub(crate) fn take(name: &str) -> bool {
    let is_said = attribute(name).is_some();
    remove_attribute(name);
    is_said
}

/// Takes it back.
pub(crate) fn remove_attribute(name: &str) {
    if let Some(root) = root() {
        let _ = root.remove_attribute(name);
    }
}

/// Names the tab.
pub(crate) fn set_title(title: &str) {
    if let Some(document) = document() {
        document.set_title(title);
    }
}

/// True while the page can be seen.
pub(crate) fn is_visible() -> bool {
    document().is_none_or(|document| document.visibility_state() == VisibilityState::Visible)
}

/// Does it whenever the window is told of that event, until the component is gone.
pub(crate) fn on_window(event: &str, work: impl Fn() + 'static) {
    let listener = window_event_listener_untyped(event, move |_| work());
    on_cleanup(move || listener.remove());
}
