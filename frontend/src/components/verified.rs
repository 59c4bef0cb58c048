use leptos::prelude::*;

use crate::{
    actions::Actions,
    components::{Button, Sentence},
    context::{Page, Target, focused},
    i18n::{key, t, text},
    platform::host::Host,
    state::Step,
};

/// The last step: the verified number, and the way back to the application.
#[component]
pub fn Verified() -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    let host = Host::read();
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
                use:focused=Target::Verified
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
                        <Button
                            class="button"
                            id="verify-another"
                            text=t!("verify-another")
                            on_press=move |()| actions.verify_another()
                        />
                    }
                })}
            {goes_back
                .then(|| {
                    view! {
                        <Button
                            class="button main"
                            id="go-back"
                            text=t!("go-back")
                            on_press=move |()| actions.hand_over()
                        />
                    }
                })}
        </section>
    }
}
