//! Messages to the embedding page.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{
    ResizeObserver,
    js_sys::{Array, Object, Reflect},
};

/// Posts a message to the embedding page, if it has this origin.
pub(crate) fn post(origin: &str, message: &[(&str, JsValue)]) {
    let window = super::window();
    let parent = window.as_ref().and_then(|window| window.parent().ok()?);
    // A page that is not framed is its own parent.
    let Some(parent) = parent.filter(|parent| Some(parent) != window.as_ref()) else {
        return;
    };
    let object = Object::new();
    for (name, value) in message {
        // Setting a property of a new object cannot fail.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    // Fails for a malformed origin, which the server never writes.
    let _ = parent.post_message(&object, origin);
}

/// Calls back with the height of the page's content in pixels, now and at each change,
/// until the component is unmounted.
pub(crate) fn on_resize(work: impl Fn(i32) + 'static) {
    let Some(body) = super::window().and_then(|window| window.document()?.body()) else {
        return;
    };
    let measured = body.clone();
    let mut reported = 0;
    let work = Closure::<dyn FnMut(Array)>::new(move |_| {
        let height = measured.offset_height();
        if height != reported {
            reported = height;
            work(height);
        }
    });
    if let Ok(observer) = ResizeObserver::new(work.as_ref().unchecked_ref()) {
        observer.observe(&body);
        let held = StoredValue::new_local((observer, work));
        on_cleanup(move || held.with_value(|(observer, _)| observer.disconnect()));
    }
}
