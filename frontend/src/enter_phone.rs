//! The first step: a phone number.

use countersign_shared::PhoneNumber;
use leptos::prelude::*;

use crate::{
    country_select::CountrySelect,
    dynamic,
    failure_line::FailureLine,
    flow::{self, Task},
    page::Page,
    text,
};

/// Asks for the phone number, and shows the number that will be texted.
#[component]
pub(crate) fn EnterPhone(page: Page) -> impl IntoView {
    let busy = dynamic::flag(move || page.is_doing(Task::Send) || page.is_doing(Task::Configure));
    let failed = dynamic::flag(move || page.flow.with(|flow| flow.failure.is_some()));
    let type_phone = move |typed: String| {
        page.config.with_untracked(|config| {
            let countries = config.as_ref().map(|config| config.countries.as_slice());
            let selected = page.country.get_untracked();
            let named = flow::country_of(&typed, countries.unwrap_or_default(), &selected);
            if let Some(country) = named {
                page.country.set(country.code.clone());
            }
        });
        page.phone.set(typed);
    };
    let hint = dynamic::text(move || {
        let country = page.selected_country();
        let example = country.and_then(|country| PhoneNumber::parse(&country.example).ok());
        example
            .map(|example| text::phone_hint(&page.spaced(&example)))
            .unwrap_or_default()
    });
    let preview = dynamic::text(move || match page.typed_number() {
        Ok(_) => text::preview(page.first_channel()).to_owned(),
        Err(_) => String::new(),
    });
    let number = dynamic::text(move || {
        let number = page.typed_number();
        number
            .map(|number| page.spaced(&number))
            .unwrap_or_default()
    });
    view! {
        <form
            class="step"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                page.send_typed();
            }
        >
            <p class="progress">{text::STEP_PHONE}</p>
            <h1 id="heading" tabindex="-1">{text::PHONE_HEADING}</h1>
            <p class="lead">{text::PHONE_PURPOSE}</p>
            <CountrySelect page />
            <label class="label" for="phone">{text::PHONE_LABEL}</label>
            <input
                id="phone"
                class="field number"
                type="tel"
                autocomplete="tel"
                dir="ltr"
                spellcheck="false"
                translate="no"
                required
                aria-describedby="phone-failure phone-hint phone-preview"
                aria-invalid=failed
                prop:value=move || page.phone.get()
                on:input:target=move |event| type_phone(event.target().value())
            />
            <FailureLine page id="phone-failure" />
            <p class="hint" id="phone-hint">{hint}</p>
            <p class="preview" id="phone-preview">
                {preview}
                <bdi class="number" dir="ltr" translate="no">{number}</bdi>
            </p>
            <button class="button main" type="submit" aria-disabled=busy>
                {dynamic::text(move || text::send(page.first_channel()).to_owned())}
            </button>
            <p class="small-print">{text::PHONE_SMALL_PRINT}</p>
        </form>
    }
}
