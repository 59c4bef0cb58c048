use leptos::prelude::*;

use crate::reactive::flag;

/// A button that submits no form.
#[component]
pub fn Button(
    /// Its class.
    class: &'static str,
    /// Its id.
    id: &'static str,
    /// Its label.
    #[prop(into)]
    text: Signal<String>,
    /// Whether it is shown as disabled, an ARIA flag.
    #[prop(default = flag(|| false))]
    is_off: Signal<Option<&'static str>>,
    /// What a press does.
    #[prop(into)]
    on_press: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            class=class
            id=id
            type="button"
            aria-disabled=is_off
            on:click=move |_| on_press.run(())
        >
            {text}
        </button>
    }
}
