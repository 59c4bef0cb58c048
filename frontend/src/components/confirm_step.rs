use leptos::prelude::*;

use crate::{
    actions::Actions,
    components::Reference,
    context::Page,
    i18n::t,
    platform::host::Host,
    reactive::{effect, flag},
    state::{StepName, Task},
};

/// The first step for a number that the application knows: the number is masked, and
/// pressing the button sends the code.
#[component]
pub fn ConfirmStep() -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    // The prerendered document names no recipient: the document's root is read after
    // hydration.
    let is_hydrated = RwSignal::new(false);
    effect(move || is_hydrated.set(true));
    let host = move || is_hydrated.get().then(Host::read);
    let number = Signal::derive(move || host()?.recipient);
    let is_busy = move || page.is_doing(Task::Send);
    let button = Signal::derive(move || {
        let channel = host().and_then(|host| host.channel);
        page.send_text(is_busy(), channel.unwrap_or_default())
    });
    let failure = Signal::derive(move || page.failure_text(StepName::EnterPhone));
    view! {
        <form
            id="confirm-number"
            class="step"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                actions.send_to_known();
            }
        >
            <p class="progress">{t!("step-phone")}</p>
            <h1 id="phone-heading">{t!("phone-heading")}</h1>
            <p class="lead">{t!("phone-purpose")}</p>
            <p class="preview number" id="known-number" dir="ltr">
                {number}
            </p>
            <p class="failure" id="confirm-failure" role="alert">
                {failure}
            </p>
            <Reference step=StepName::EnterPhone />
            <button class="button main" id="send" type="submit" aria-disabled=flag(is_busy)>
                {button}
            </button>
            <p class="small-print">{t!("small-print")}</p>
        </form>
    }
}
