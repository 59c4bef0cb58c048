use leptos::prelude::*;

use crate::{actions::Actions, i18n::t};

/// The way back without a proof. The style shows it where there is a way back,
/// which the document's root says from the first paint on.
#[component]
pub fn Cancel() -> impl IntoView {
    let actions = Actions::expect();
    view! {
        <button class="link cancel" id="cancel" type="button" on:click=move |_| actions.cancel()>
            {t!("cancel")}
        </button>
    }
}
