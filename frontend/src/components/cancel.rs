use leptos::prelude::*;

use crate::{
    components::Button,
    i18n::t,
    platform::host::{Host, Outcome},
};

/// The Cancel button. The style shows it from the first paint if the document's root
/// names an application to return to.
#[component]
pub fn Cancel() -> impl IntoView {
    view! {
        <Button
            class="link cancel"
            id="cancel"
            text=t!("cancel")
            on_press=|()| Host::read().report(Outcome::Cancelled)
        />
    }
}
