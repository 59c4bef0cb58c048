//! The code's field and its button.

use leptos::{html::Input, prelude::*};

use crate::{
    dynamic,
    failure_line::FailureLine,
    flow::{self, Task},
    page::Page,
    text,
};

/// Takes the code. A whole code that comes by typing, paste or autofill is sent
/// at once; after that only the button sends it again.
#[component]
pub(crate) fn CodeForm(page: Page) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let length = move || page.session(|session| session.otp_length);
    let ended = move || page.session(|session| session.ending).is_some();
    let failed = dynamic::flag(move || page.flow.with(|flow| flow.failure.is_some()));
    let disabled = dynamic::flag(move || page.is_doing(Task::Verify) || ended());
    let type_code = move |typed: String| {
        let length = untrack(length).unwrap_or(flow::USUAL_LENGTH);
        let tidy = flow::tidy_code(&typed, length);
        if let Some(input) = input.get_untracked().filter(|_| tidy != typed) {
            input.set_value(&tidy);
        }
        let is_new = page.code.with_untracked(|before| *before != tidy);
        let is_whole = flow::read_code(&tidy, length).is_ok();
        page.code.set(tidy);
        if is_whole && is_new && !untrack(ended) {
            page.verify();
        }
    };
    view! {
        <form
            class="code-form"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                page.verify();
            }
        >
            <label class="label" for="code">{dynamic::text(move || text::code_label(length()))}</label>
            <input
                id="code"
                class="field code"
                type="text"
                inputmode="numeric"
                autocomplete="one-time-code"
                autocapitalize="off"
                spellcheck="false"
                translate="no"
                dir="ltr"
                required
                aria-describedby="code-failure"
                aria-invalid=failed
                node_ref=input
                prop:value=move || page.code.get()
                on:input:target=move |event| type_code(event.target().value())
            />
            <FailureLine page id="code-failure" />
            <button class="button main" type="submit" aria-disabled=disabled>
                {text::VERIFY}
            </button>
        </form>
    }
}
