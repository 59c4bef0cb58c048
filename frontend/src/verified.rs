//! The last step: done.

use leptos::prelude::*;

use crate::{dynamic, flow::Recipient, page::Page, text};

/// Says which number is verified.
#[component]
pub(crate) fn Verified(page: Page, recipient: Recipient) -> impl IntoView {
    view! {
        <div class="step done">
            <span class="done-mark" aria-hidden="true"></span>
            <h1 id="heading" tabindex="-1" aria-describedby="verified-number">
                {text::VERIFIED_HEADING}
            </h1>
            <p class="lead" id="verified-number">
                <bdi class="number" dir="ltr" translate="no">
                    {dynamic::text(move || page.shown(&recipient))}
                </bdi>
                " "
                {text::VERIFIED_NUMBER}
            </p>
            <p class="hint">{text::VERIFIED_NEXT}</p>
            <button class="button" type="button" on:click=move |_| page.verify_another()>
                {text::VERIFY_ANOTHER}
            </button>
        </div>
    }
}
