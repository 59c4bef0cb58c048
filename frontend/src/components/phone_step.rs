use countersign_shared::{Channel, ErrorCode};
use leptos::prelude::*;

use crate::{
    actions::Actions,
    components::{Button, CountrySelect, PhoneField},
    context::Page,
    i18n::t,
    platform::document,
    reactive::{effect, flag},
    state::{FailureKind, Task},
};

/// The first step: the phone form.
#[component]
pub fn PhoneStep() -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    let mut was_pressed = None;
    effect(move || {
        // A press from before hydration; later ones are handled by the form.
        let is_pressed = was_pressed.get_or_insert_with(|| document::take("data-pressed"));
        if page.config.with(Option::is_some) && std::mem::take(is_pressed) {
            actions.press_again();
        }
    });
    let is_busy = move || page.is_doing(Task::Send) || page.is_doing(Task::Configure);
    let button = Signal::derive(move || page.send_text(is_busy(), page.first_channel()));
    view! {
        <form
            id="enter-phone"
            class="step"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                actions.send_typed();
            }
        >
            <p class="progress">{t!("step-phone")}</p>
            <h1 id="phone-heading">{t!("phone-heading")}</h1>
            <p class="lead">{t!("phone-purpose")}</p>
            <CountrySelect />
            <PhoneField />
            <button
                class="button main"
                id="send"
                type="submit"
                aria-disabled=flag(is_busy)
            >
                {button}
            </button>
            <CallInstead />
            <p class="small-print">{t!("small-print")}</p>
        </form>
    }
}

/// Offers a call to the same number if it cannot receive text messages.
#[component]
fn CallInstead() -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    let is_offered = Memo::new(move |_| {
        let failure = page.flow.with(|flow| flow.failure);
        let is_refused = failure.is_some_and(|failure| {
            failure.other_channel
                && failure.kind == FailureKind::Refused(ErrorCode::NumberTypeNotAllowed)
        });
        is_refused && page.offers(Channel::Voice)
    });
    let text = t!("by-voice");
    move || {
        is_offered.get().then(|| {
            view! {
                <Button
                    class="button call-instead"
                    id="call-instead"
                    text=text
                    on_press=move |()| actions.send_typed_by(Channel::Voice)
                />
            }
        })
    }
}
