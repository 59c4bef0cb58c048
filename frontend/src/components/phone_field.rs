use countersign_shared::{Channel, PhoneNumber};
use leptos::{html::Input, prelude::*};

use crate::{
    components::{Reference, Sentence},
    context::{Page, Target, focused},
    i18n::{key, t},
    reactive::{effect, flag},
    state::{self, StepName},
};

/// The phone field, its error, an example and a preview of the number.
///
/// An uncontrolled field: text typed before hydration is kept, and nothing is written
/// into it while the user types.
#[component]
pub fn PhoneField() -> impl IntoView {
    let page = Page::expect();
    let field = NodeRef::<Input>::new();
    let mut is_first = true;
    effect(move || {
        let Some(input) = field.get() else {
            return;
        };
        if std::mem::take(&mut is_first) && !input.value().is_empty() {
            type_phone(page, input.value());
        }
        let phone = page.phone.get();
        if input.value() != phone {
            input.set_value(&phone);
        }
    });
    let example = Signal::derive(move || {
        let country = page.selected_country()?;
        let example = PhoneNumber::parse(&country.example).ok()?;
        Some(page.spaced(&example))
    });
    let preview = Signal::derive(move || page.typed_number().ok().map(|it| page.spaced(&it)));
    let preview_text = Signal::derive(move || {
        page.i18n.get(match page.first_channel() {
            Channel::Sms => key!("preview-sms"),
            Channel::Voice => key!("preview-voice"),
            Channel::Whatsapp => key!("preview-whatsapp"),
        })
    });
    let failure = Signal::derive(move || page.failure_text(StepName::EnterPhone));
    let has_failed = flag(move || page.flow.with(|flow| flow.failure.is_some()));
    view! {
        <label class="label" for="phone">
            {t!("phone-label")}
        </label>
        <input
            node_ref=field
            use:focused=Target::Phone
            id="phone"
            class="field number"
            type="tel"
            autocomplete="tel"
            dir="ltr"
            spellcheck="false"
            translate="no"
            required
            aria-describedby="phone-failure phone-hint phone-preview"
            aria-invalid=has_failed
            on:input=move |event| {
                type_phone(page, event_target_value(&event));
            }
            on:blur=move |_| tidy_phone(page)
        />
        <p class="failure" id="phone-failure" role="alert">
            {failure}
        </p>
        <Reference step=StepName::EnterPhone />
        <p class="hint" id="phone-hint">
            <Sentence text=t!("phone-hint") number=example />
        </p>
        <p class="preview" id="phone-preview">
            <Sentence text=preview_text number=preview />
        </p>
    }
}

/// Selects the country that the typed number names, if it names one.
fn type_phone(page: Page, typed: String) {
    let selected = page.country.get_untracked();
    let named = untrack(|| {
        page.with_countries(|countries| {
            state::country_of(&typed, countries, &selected).map(|country| country.code.clone())
        })
    });
    if let Some(named) = named.filter(|named| *named != selected) {
        page.country.set(named);
    }
    // The offer of a call was for the previous number.
    if page
        .flow
        .with_untracked(|flow| flow.failure.is_some_and(|it| it.other_channel))
    {
        page.flow.update(|flow| flow.failure = None);
    }
    page.phone.set(typed);
}

/// Formats the number on blur, never while the user types.
fn tidy_phone(page: Page) {
    let typed = page.phone.get_untracked();
    let tidy = untrack(|| {
        let country = page.selected_country();
        page.with_countries(|countries| state::format_phone(&typed, country.as_ref(), countries))
    });
    if let Some(tidy) = tidy.filter(|tidy| *tidy != typed) {
        page.phone.set(tidy);
    }
}
