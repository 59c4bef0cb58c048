//! How the markup of `index.html` follows the page's state.
//!
//! Each function binds one thing of one element, for as long as the page is
//! there. An element that is missing is left out: whoever changes the markup may
//! take things away.

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, Node, NodeList};

/// Runs it now, and again whenever something that it reads changes.
pub(crate) fn follow(update: impl FnMut() + 'static) {
    boxed::follow(Box::new(update));
}

/// The element's text.
pub(crate) fn text(id: &'static str, text: impl Fn() -> String + 'static) {
    boxed::text(id, Box::new(text));
}

/// A text with a phone number in it, in which the number stays whole and runs
/// from left to right in any language. Empty without a number.
pub(crate) fn sentence(id: &'static str, parts: impl Fn() -> (String, String) + 'static) {
    boxed::sentence(id, Box::new(parts));
}

/// An attribute: its value, or nothing where it is not there.
pub(crate) fn attribute(
    id: &'static str,
    name: &'static str,
    value: impl Fn() -> Option<String> + 'static,
) {
    boxed::attribute(id, name, Box::new(value));
}

/// The attribute `…="true"` while it holds, for `aria-…`.
pub(crate) fn flag(id: &'static str, name: &'static str, holds: impl Fn() -> bool + 'static) {
    boxed::flag(id, name, "true", Box::new(holds));
}

/// Whether the element is left out.
pub(crate) fn hidden(id: &'static str, holds: impl Fn() -> bool + 'static) {
    boxed::flag(id, "hidden", "", Box::new(holds));
}

/// What an event on the element does.
pub(crate) fn on(id: &'static str, event: &'static str, act: impl FnMut() + 'static) {
    boxed::on(id, event, Box::new(act));
}

/// The work of the functions above, once for all closures: unboxed and inlined,
/// each use would carry its own copy, a tenth of the page in all.
mod boxed {
    use leptos::prelude::Effect;
    use wasm_bindgen::{JsCast, closure::Closure};
    use web_sys::Event;

    use super::show;
    use crate::{browser, texts::around_gap};

    #[inline(never)]
    pub(super) fn follow(mut update: Box<dyn FnMut()>) {
        Effect::new(move |_| update());
    }

    #[inline(never)]
    pub(super) fn text(id: &str, text: Box<dyn Fn() -> String>) {
        let Some(element) = browser::element(id) else {
            return;
        };
        // From now on it is the program's, in any language.
        let _ = element.remove_attribute("data-text");
        follow(Box::new(move || show(&element, &text())));
    }

    #[inline(never)]
    pub(super) fn sentence(id: &str, parts: Box<dyn Fn() -> (String, String)>) {
        let Some(element) = browser::element(id) else {
            return;
        };
        follow(Box::new(move || {
            let (text, number) = parts();
            let (before, after) = around_gap(&text).unwrap_or_default();
            let said = match number.as_str() {
                "" => ["", "", ""],
                number => [before, number, after],
            };
            let children = element.children();
            for (index, part) in (0..).zip(said) {
                if let Some(child) = children.item(index) {
                    show(&child, part);
                }
            }
        }));
    }

    #[inline(never)]
    pub(super) fn attribute(id: &str, name: &'static str, value: Box<dyn Fn() -> Option<String>>) {
        let Some(element) = browser::element(id) else {
            return;
        };
        follow(Box::new(move || {
            // Only an invalid name could fail.
            let _ = match value() {
                Some(value) => element.set_attribute(name, &value),
                None => element.remove_attribute(name),
            };
        }));
    }

    #[inline(never)]
    pub(super) fn flag(
        id: &str,
        name: &'static str,
        value: &'static str,
        holds: Box<dyn Fn() -> bool>,
    ) {
        attribute(
            id,
            name,
            Box::new(move || holds().then(|| value.to_owned())),
        );
    }

    #[inline(never)]
    pub(super) fn on(id: &str, event: &str, mut act: Box<dyn FnMut()>) {
        let Some(element) = browser::element(id) else {
            return;
        };
        let act = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            event.prevent_default();
            act();
        });
        // Lives as long as the element, which is as long as the page.
        let act = act.into_js_value();
        let _ = element.add_event_listener_with_callback(event, act.unchecked_ref());
    }
}

/// Shows a text. Writes only what is new: screen readers announce what is written.
pub(crate) fn show(element: &Element, text: &str) {
    let node: &Node = element;
    if node.text_content().as_deref() != Some(text) {
        node.set_text_content(Some(text));
    }
}

/// Every element that has a text of its own, and that text's key.
pub(crate) fn with_text(root: &HtmlElement) -> impl Iterator<Item = (Element, String)> {
    let found = root.query_selector_all("[data-text]").ok();
    let count = found.as_ref().map_or(0, NodeList::length);
    (0..count).filter_map(move |index| {
        let element: Element = found.as_ref()?.item(index)?.unchecked_into();
        let key = element.get_attribute("data-text")?;
        Some((element, key))
    })
}
