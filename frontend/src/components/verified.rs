use leptos::{html::H1, prelude::*};

use crate::{
    actions::Actions,
    components::Sentence,
    context::{Page, Target},
    i18n::{key, t, text},
    platform::host::Host,
    reactive::effect,
    state::Step,
};

/// The last step: the verified number, and the way back to the application.
#[component]
pub fn Verified() -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    let host = Host::read();
    let heading = NodeRef::<H1>::new();
    effect(move || {
        if let (Some(Target::Verified), Some(heading)) = (page.focus.get(), heading.get()) {
            let _ = heading.focus();
            page.focus.set(None);
        }
    });
    let number = Signal::derive(move || {
        page.flow.with(|flow| match &flow.step {
            Step::Verified(verified) => Some(page.shown(&verified.recipient)),
            Step::EnterPhone | Step::EnterCode(_) => None,
        })
    });
    let goes_back = host.takes_back();
    // A framed page cannot be closed by the user.
    let next = match (goes_back, host.is_there()) {
        (true, _) => key!("returning"),
        (false, true) => key!("verified-hosted"),
        (false, false) => key!("verified-next"),
    };
    let can_start_again = !host.is_there();
    actions.hand_over();
    view! {
        <section id="verified" class="step done" aria-labelledby="verified-heading">
            <span class="done-mark" aria-hidden="true"></span>
            <h1
                node_ref=heading
                id="verified-heading"
                tabindex="-1"
                aria-describedby="verified-number"
            >
                {t!("verified-heading")}
            </h1>
            <p class="lead" id="verified-number">
                <Sentence text=t!("verified-number") number=number />
            </p>
            <p class="hint" id="verified-next">
                {text(next)}
            </p>
            {can_start_again
                .then(|| {
                    view! {
                        <button
                            class="button"
                            id="verify-another"
                            type="button"
                            on:click=move |_| actions.verify_another()
                        >
                            {t!("verify-another")}
                        </button>
                    }
                })}
            {goes_back
                .then(|| {
                    view! {
                        <button
                            class="button main"
                            id="go-back"
                            type="button"
                            on:click=move |_| actions.hand_over()
                        >
                            {t!("go-back")}
                        </button>
                    }
                })}
        </section>
    }
}
