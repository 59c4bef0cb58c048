//! The choice of a country.

use countersign_shared::page_locale;
use leptos::{mount::mount_to, prelude::*};

use crate::{browser, dom, flow, page::Page};

/// The served countries, by name in the reader's language.
pub(crate) fn countries(page: Page) {
    let Some(select) = browser::element("country") else {
        return;
    };
    let mounted = StoredValue::new_local(None);
    dom::follow(move || {
        let countries = page.config.with(|config| {
            let countries = config.as_ref().map(|config| config.countries.clone());
            countries.unwrap_or_default()
        });
        let locale = page.texts.with(|texts| texts.locale.clone());
        if countries.is_empty() {
            return;
        }
        mounted.set_value(None);
        select.set_inner_html("");
        let is_rtl = page_locale::direction(&locale) == "rtl";
        let named = browser::named_countries(&countries, &locale);
        mounted.set_value(Some(mount_to(select.clone(), move || {
            named
                .into_iter()
                .map(|(name, code, calling_code)| {
                    let label = if is_rtl {
                        // An option takes no markup: the isolate keeps the plus in front.
                        format!("{name} (\u{2066}+{calling_code}\u{2069})")
                    } else {
                        format!("{name} (+{calling_code})")
                    };
                    view! { <option value=code>{label}</option> }
                })
                .collect_view()
        })));
        browser::set_value("country", &page.country.get_untracked());
    });
    dom::follow(move || browser::set_value("country", &page.country.get()));
    dom::on("country", "change", move || {
        page.choose_country(browser::value("country"));
    });
}

impl Page {
    /// Another country was chosen by hand: a number that names its country names
    /// this one now.
    fn choose_country(self, code: String) {
        self.country.set(code);
        let Some(chosen) = untrack(|| self.selected_country()) else {
            return;
        };
        let typed = self.phone.get_untracked();
        self.phone
            .set(self.with_countries(|countries| flow::with_country(&typed, countries, &chosen)));
    }
}
