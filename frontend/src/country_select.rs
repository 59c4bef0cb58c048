//! The choice of a country.

use leptos::{html::Select, prelude::*};

use crate::{browser, flow, page::Page, text};

/// The served countries, by name in the reader's language.
#[component]
pub(crate) fn CountrySelect(page: Page) -> impl IntoView {
    let select = NodeRef::<Select>::new();
    let options = move || {
        let countries = page
            .config
            .with(|config| config.as_ref().map(|config| config.countries.clone()));
        let Some(countries) = countries else {
            return view! { <option value="">{text::COUNTRIES_LOADING}</option> }.into_any();
        };
        browser::named_countries(&countries)
            .into_iter()
            .map(|(name, country)| {
                let label = text::country(&name, country.calling_code);
                let selected = page.country.with_untracked(|code| *code == country.code);
                view! { <option value=country.code selected=selected>{label}</option> }
            })
            .collect_view()
            .into_any()
    };
    // The options mark the first choice; this follows the later ones.
    Effect::new(move |_| {
        let selected = page.country.get();
        if let Some(select) = select.get() {
            select.set_value(&selected);
        }
    });
    let choose = move |code: String| {
        page.country.set(code);
        let Some(chosen) = untrack(|| page.selected_country()) else {
            return;
        };
        page.config.with_untracked(|config| {
            let countries = config.as_ref().map(|config| config.countries.as_slice());
            page.phone.update(|phone| {
                *phone = flow::with_country(phone, countries.unwrap_or_default(), &chosen);
            });
        });
    };
    view! {
        <label class="label" for="country">{text::COUNTRY_LABEL}</label>
        <select
            id="country"
            class="field"
            autocomplete="country"
            node_ref=select
            on:change:target=move |event| choose(event.target().value())
        >
            {options}
        </select>
    }
}
