use leptos::prelude::*;

use crate::i18n::t;

/// Shown if the page's parameters are not allowed.
#[component]
pub fn Refused() -> impl IntoView {
    view! {
        <section id="refused" class="step" aria-labelledby="refused-heading">
            <h1 id="refused-heading">{t!("refused-heading")}</h1>
            <p class="lead">{t!("refused-text")}</p>
        </section>
    }
}
