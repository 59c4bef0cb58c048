use leptos::prelude::*;

use crate::i18n::t;

/// Where the page's address asks for what is not allowed.
#[component]
pub fn Refused() -> impl IntoView {
    view! {
        <section id="refused" class="step" aria-labelledby="refused-heading">
            <h1 id="refused-heading">{t!("refused-heading")}</h1>
            <p class="lead">{t!("refused-text")}</p>
        </section>
    }
}
