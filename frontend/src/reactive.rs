//! Effects, flags and work in the background, as the whole page uses them.
//!
//! Boxed, and signals in place of closures, so that the page shares one copy of what
//! runs them: each closure would carry its own, a fifth of the program in all.

use std::pin::Pin;

use leptos::prelude::*;

/// Runs it now, and again whenever something that it reads changes, as
/// [`Effect::new`] does.
pub(crate) fn effect(run: impl FnMut() + 'static) {
    let mut run: Box<dyn FnMut()> = Box::new(run);
    Effect::new(move |_| run());
}

/// The value of an `aria-…` attribute: `true` while it holds, and none otherwise.
pub(crate) fn flag(
    holds: impl Fn() -> bool + Send + Sync + 'static,
) -> Signal<Option<&'static str>> {
    Signal::derive(move || holds().then_some("true"))
}

/// Runs it beside the page, as [`leptos::task::spawn_local`] does.
pub(crate) fn spawn(work: impl Future<Output = ()> + 'static) {
    let work: Pin<Box<dyn Future<Output = ()>>> = Box::pin(work);
    leptos::task::spawn_local(work);
}
