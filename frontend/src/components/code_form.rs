use leptos::prelude::*;

use crate::{
    actions::Actions,
    components::{CodeField, Reference},
    context::Page,
    i18n::key,
    reactive::flag,
    state::{Flow, StepName, Task},
};

/// The code field, its error and the Verify button.
#[component]
pub fn CodeForm() -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    // Also busy while the page repeats the request by itself, unless it has shown the
    // failure.
    let is_checking = move || {
        let is_repeating = |flow: &Flow| flow.check().is_some() && flow.failure.is_none();
        page.is_doing(Task::Verify) || page.flow.with(is_repeating)
    };
    let is_off = move || is_checking() || page.session(|session| session.ending).is_some();
    let button = Signal::derive(move || {
        page.i18n.get(if is_checking() {
            key!("checking")
        } else {
            key!("verify")
        })
    });
    let failure = Signal::derive(move || page.failure_text(StepName::EnterCode));
    view! {
        <form
            id="code-form"
            class="code-form"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                actions.verify();
            }
        >
            <CodeField />
            <p class="failure" id="code-failure" role="alert">
                {failure}
            </p>
            <Reference step=StepName::EnterCode />
            <button class="button main" id="verify" type="submit" aria-disabled=flag(is_off)>
                {button}
            </button>
        </form>
    }
}
