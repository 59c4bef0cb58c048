use leptos::prelude::*;

use crate::{context::Page, state::StepName};

/// The failed request's id, by which support finds it in the log.
#[component]
pub fn Reference(
    /// The step whose failure is shown.
    step: StepName,
) -> impl IntoView {
    let page = Page::expect();
    let reference = Signal::derive(move || page.failure_reference(step));
    view! { <p class="reference">{reference}</p> }
}
