use leptos::prelude::*;

use crate::i18n::around_gap;

/// A text with a phone number in its gap, isolated left-to-right and not broken across
/// lines. Empty without a number.
#[component]
pub fn Sentence(
    /// The text, with its gap.
    #[prop(into)]
    text: Signal<String>,
    /// The number, formatted for display.
    #[prop(into)]
    number: Signal<Option<String>>,
) -> impl IntoView {
    move || {
        number.get().map(|number| {
            let text = text.get();
            let (before, after) = around_gap(&text).unwrap_or((&text, ""));
            view! {
                <span>{before.to_owned()}</span>
                <bdi class="number" dir="ltr" translate="no">
                    {number}
                </bdi>
                <span>{after.to_owned()}</span>
            }
        })
    }
}
