//! The page around this one, when this one is in a frame.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{
    ResizeObserver,
    js_sys::{Array, Object, Reflect},
};

/// Tells the page around this one, if that is of this origin. Nobody else hears it.
pub(crate) fn tell(origin: &str, message: &[(&str, JsValue)]) {
    let window = super::window();
    let parent = window.as_ref().and_then(|window| window.parent().ok()?);
    // A page that is in no frame is its own parent.
    let Some(parent) = parent.filter(|parent| Some(parent) != window.as_ref()) else {
        return;
    };
    let object = Object::new();
    for (name, value) in message {
        // A new object takes any member.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    // Fails for an origin that is none, which the server does not write.
    let _ = parent.post_message(&object, origin);
}

/// Answers the height of the page's content in pixels, now and whenever it
/// changes, until the component is gone.
pub(crate) fn on_resize(work: impl Fn(i32) + 'static) {
    let Some(body) = super::window().and_then(|window| window.document()?.body()) else {
        return;
    };
    let measured = body.clone();
    let told = StoredValue::new(0);
    let work = Closure::<dyn FnMut(Array)>::new(move |_| {
        let height = measured.offset_height();
        if told.try_get_value().is_some_and(|told| told != height) {
            told.set_value(height);
            work(height);
        }
    });
    if let Ok(observer) = ResizeObserver::new(work.as_ref().unchecked_ref()) {
        observer.observe(&body);
        let held = StoredValue::new_local((observer, work));
        on_cleanup(move || held.with_value(|(observer, _)| observer.disconnect()));
    }
}
