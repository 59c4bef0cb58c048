use leptos::prelude::*;

use crate::i18n::t;

/// Notices about the page itself: no script, no WebAssembly, a program that did not
/// load. Rendered but never hydrated, so they work without the program; the style shows
/// each one by an attribute of the document's root.
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
