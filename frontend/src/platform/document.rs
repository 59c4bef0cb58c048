//! The document around the components: root attributes, title, data blocks.

use leptos::prelude::{on_cleanup, window_event_listener_untyped};
use wasm_bindgen::JsCast;
use web_sys::{Document, Element, HtmlElement, VisibilityState};

/// Id of the mount point, the only element that is found by id.
const MOUNT_POINT: &str = "app";
/// Id of the data block with the texts of the document's language.
#[cfg(feature = "hydrate")]
const TEXTS: &str = "texts";

fn document() -> Option<Document> {
    super::window()?.document()
}

fn root() -> Option<Element> {
    document()?.document_element()
}

/// The mount point.
pub(crate) fn mount_point() -> Option<HtmlElement> {
    let element = document()?.get_element_by_id(MOUNT_POINT)?;
    element.dyn_into().ok()
}

/// The texts in the document, as JSON.
#[cfg(feature = "hydrate")]
pub(crate) fn texts() -> Option<String> {
    document()?.get_element_by_id(TEXTS)?.text_content()
}

/// An attribute of the document's root.
pub(crate) fn attribute(name: &str) -> Option<String> {
    root()?.get_attribute(name)
}

/// Sets an attribute of the document's root, for the style.
pub(crate) fn set_attribute(name: &str, value: &str) {
    if let Some(root) = root() {
        // Only an invalid name could fail.
        let _ = root.set_attribute(name, value);
    }
}

/// Removes the attribute from the document's root, and returns whether it was set.
pub(crate) fn take(name: &str) -> bool {
    let is_said = attribute(name).is_some();
    remove_attribute(name);
    is_said
}

/// Removes an attribute of the document's root.
pub(crate) fn remove_attribute(name: &str) {
    if let Some(root) = root() {
        let _ = root.remove_attribute(name);
    }
}

/// Sets the document's title.
pub(crate) fn set_title(title: &str) {
    if let Some(document) = document() {
        document.set_title(title);
    }
}

/// True while the page is visible.
pub(crate) fn is_visible() -> bool {
    document().is_none_or(|document| document.visibility_state() == VisibilityState::Visible)
}

/// Listens to an event of the window until the component is unmounted.
pub(crate) fn on_window(event: &str, work: impl Fn() + 'static) {
    let listener = window_event_listener_untyped(event, move |_| work());
    on_cleanup(move || listener.remove());
}
