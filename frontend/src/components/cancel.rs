use leptos::prelude::*;

use crate::{
    i18n::t,
    platform::host::{Host, Outcome},
};

/// The way back without a proof. The style shows it where there is a way back,
/// which the document's root says from the first paint on.
#[component]
pub fn Cancel() -> impl IntoView {
    view! {
        <button class="link cancel" id="cancel" type="button" on:click=|_| Host::read().tell(Outcome::Cancelled)>
            {t!("cancel")}
        </button>
    }
}
