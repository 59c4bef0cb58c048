use leptos::prelude::*;

use crate::{context::Page, state::StepName};

/// What support needs to find in the log what went wrong in a step.
#[component]
pub fn Reference(
    /// The step.
    step: StepName,
) -> impl IntoView {
    let page = Page::expect();
    let reference = Signal::derive(move || page.failure_reference(step));
    view! { <p class="reference">{reference}</p> }
}
