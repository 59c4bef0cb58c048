use countersign_shared::page_locale;
use leptos::{html::Select, prelude::*};

use crate::{
    context::Page,
    i18n::t,
    platform::intl::{self, NamedCountry},
    reactive::{effect, spawn},
    state,
};

/// Country selector: the served countries, sorted by name in the page's language, once
/// the configuration is loaded.
#[component]
pub fn CountrySelect() -> impl IntoView {
    let page = Page::expect();
    let select = NodeRef::<Select>::new();
    let named = RwSignal::new(Vec::<NamedCountry>::new());
    effect(move || {
        let locale = page.i18n.locale();
        let countries = page.with_countries(|countries| intl::named_countries(countries, &locale));
        named.set(countries);
    });
    effect(move || {
        let country = page.country.get();
        let has_options = !named.with(Vec::is_empty);
        let Some(select) = select.get().filter(|_| has_options) else {
            return;
        };
        spawn(async move {
            // After the options are rendered.
            leptos::task::tick().await;
            if select.value() != country {
                select.set_value(&country);
            }
        });
    });
    let loading = t!("loading");
    let options = move || {
        let is_rtl = page_locale::direction(&page.i18n.locale()) == "rtl";
        let mut options: Vec<_> = named
            .get()
            .into_iter()
            .map(|country| (label(&country, is_rtl), country.code))
            .collect();
        if options.is_empty() {
            options.push((loading.get(), String::new()));
        }
        let options = options.into_iter();
        options
            .map(|(label, code)| view! { <option value=code>{label}</option> })
            .collect_view()
    };
    view! {
        <label class="label" for="country">
            {t!("country-label")}
        </label>
        <select
            node_ref=select
            id="country"
            class="field"
            autocomplete="country"
            on:change=move |event| choose(page, event_target_value(&event))
        >
            {options}
        </select>
    }
}

fn label(country: &NamedCountry, is_rtl: bool) -> String {
    let NamedCountry {
        name, calling_code, ..
    } = country;
    if is_rtl {
        // An option may not contain markup, so a bidi isolate keeps the plus in front.
        format!("{name} (\u{2066}+{calling_code}\u{2069})")
    } else {
        format!("{name} (+{calling_code})")
    }
}

/// Replaces the calling code in the typed number when another country is selected.
fn choose(page: Page, code: String) {
    page.country.set(code);
    let Some(chosen) = untrack(|| page.selected_country()) else {
        return;
    };
    let typed = page.phone.get_untracked();
    let changed = untrack(|| {
        page.with_countries(|countries| state::with_country(&typed, countries, &chosen))
    });
    if changed != typed {
        page.phone.set(changed);
    }
}
