use leptos::{html::Button, prelude::*};

use crate::{
    actions::Actions,
    context::{Page, Target},
    i18n::key,
    reactive::{effect, flag},
    state::{Ending, Task},
};

/// The way out of an ended session: a new code, or the first step again.
#[component]
pub fn Ended() -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    let button = NodeRef::<Button>::new();
    effect(move || {
        if let (Some(Target::EndedAction), Some(button)) = (page.focus.get(), button.get()) {
            let _ = button.focus();
            page.focus.set(None);
        }
    });
    let text = Signal::derive(move || {
        page.i18n.get(match page.session(|session| session.ending) {
            Some(Ending::ChecksExhausted) => key!("start-again"),
            Some(Ending::Expired | Ending::AlreadyVerified) | None => key!("send-new-code"),
        })
    });
    view! {
        <button
            node_ref=button
            class="button main"
            id="ended-action"
            type="button"
            aria-disabled=flag(move || page.is_doing(Task::Send))
            on:click=move |_| actions.begin_again()
        >
            {text}
        </button>
    }
}
