//! Where a step says what went wrong.

use leptos::prelude::*;

use crate::{dynamic, page::Page, text};

/// What went wrong, if anything. The element is always there, because screen
/// readers announce what is put into an alert, not a new alert.
#[component]
pub(crate) fn FailureLine(page: Page, id: &'static str) -> impl IntoView {
    let failure = dynamic::text(move || {
        let failure = page.flow.with(|flow| flow.failure);
        failure.as_ref().map(text::failure).unwrap_or_default()
    });
    view! { <p class="failure" id=id role="alert">{failure}</p> }
}
