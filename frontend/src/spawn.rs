//! Work that goes on beside the page.

use std::pin::Pin;

use leptos::task::spawn_local;

/// Runs it. Boxed, so that all of the page shares one copy of the executor's
/// code.
pub(crate) fn spawn(work: impl Future<Output = ()> + 'static) {
    let work: Pin<Box<dyn Future<Output = ()>>> = Box::pin(work);
    spawn_local(work);
}
