use leptos::prelude::*;

use crate::i18n::t;

/// What is wrong with the page itself, as long as its program is not there. Only
/// rendered, never hydrated: it must work when the program does not. The style
/// shows each where the document's script or the browser says so.
#[component]
pub fn Notices() -> impl IntoView {
    view! {
        <p class="notice load-failed" role="alert">
            <span>{t!("load-failed")}</span>
            " "
            <a class="link" href="">
                {t!("reload")}
            </a>
        </p>
        <p class="notice slow">
            <span>{t!("slow")}</span>
            " "
            <a class="link" href="">
                {t!("reload")}
            </a>
        </p>
        <p class="notice no-wasm" role="alert">
            {t!("no-wasm")}
        </p>
        <noscript class="notice">{t!("no-script")}</noscript>
    }
}
