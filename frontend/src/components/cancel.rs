use leptos::prelude::*;

use crate::{
    i18n::t,
    platform::host::{Host, Outcome},
};

/// The Cancel button. The style shows it from the first paint if the document's root
/// names an application to return to.
#[component]
pub fn Cancel() -> impl IntoView {
    view! {
        <button class="link cancel" id="cancel" type="button" on:click=|_| Host::read().report(Outcome::Cancelled)>
            {t!("cancel")}
        </button>
    }
}
