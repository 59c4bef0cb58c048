use leptos::prelude::*;

use crate::{
    actions::Actions,
    components::Button,
    context::{Page, Target, focused},
    i18n::key,
    reactive::flag,
    state::{Ending, Task},
};

/// The way out of an ended session: a new code, or the first step again.
#[component]
pub fn Ended() -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    let text = Signal::derive(move || {
        page.i18n.get(match page.session(|session| session.ending) {
            Some(Ending::ChecksExhausted) => key!("start-again"),
            Some(Ending::Expired | Ending::AlreadyVerified) | None => key!("send-new-code"),
        })
    });
    view! {
        <Button
            class="button main"
            id="ended-action"
            text=text
            is_off=flag(move || page.is_doing(Task::Send))
            on_press=move |()| actions.begin_again()
            use:focused=Target::EndedAction
        />
    }
}
