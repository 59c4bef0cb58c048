//! Effects, ARIA flags and background tasks for the whole page.
//!
//! Boxed, so that the page contains one copy of the code that runs them: generic
//! closures would each carry their own, a fifth of the program in all.

use std::pin::Pin;

use leptos::prelude::*;

/// An effect: runs now, and again whenever a signal that it reads changes, as
/// [`Effect::new`] does.
pub(crate) fn effect(run: impl FnMut() + 'static) {
    let mut run: Box<dyn FnMut()> = Box::new(run);
    Effect::new(move |_| run());
}

/// The value of a boolean `aria-…` attribute: `true`, or absent.
pub(crate) fn flag(
    holds: impl Fn() -> bool + Send + Sync + 'static,
) -> Signal<Option<&'static str>> {
    Signal::derive(move || holds().then_some("true"))
}

/// Spawns a background task, as [`leptos::task::spawn_local`] does.
pub(crate) fn spawn(work: impl Future<Output = ()> + 'static) {
    let work: Pin<Box<dyn Future<Output = ()>>> = Box::pin(work);
    leptos::task::spawn_local(work);
}
