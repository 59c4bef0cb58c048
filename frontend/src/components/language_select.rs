use countersign_shared::page_locale;
use leptos::{html::Select, prelude::*};

use crate::{
    api,
    context::Page,
    i18n::{Language, t},
    reactive::{effect, spawn},
};

/// The offered languages, each in its own name.
const LANGUAGES: [(&str, &str); 13] = [
    ("ar", "العربية"),
    ("de", "Deutsch"),
    ("en", "English"),
    ("es", "Español"),
    ("fr", "Français"),
    ("he", "עברית"),
    ("hi", "हिन्दी"),
    ("it", "Italiano"),
    ("ja", "日本語"),
    ("pt", "Português"),
    ("ru", "Русский"),
    ("zh", "简体中文"),
    ("zh-Hant", "繁體中文"),
];

/// Language selector. If a language's texts cannot be loaded, the page stays in the
/// current one.
#[component]
pub fn LanguageSelect() -> impl IntoView {
    let page = Page::expect();
    let select = NodeRef::<Select>::new();
    let first = untrack(|| page.i18n.locale());
    let speak = move |locale: String| {
        spawn(async move {
            if let Ok(texts) = api::texts(&page_locale::path(&locale)).await {
                page.i18n.speak(Language::new(&locale, texts));
            } else if let Some(select) = select.get_untracked() {
                select.set_value(&untrack(|| page.i18n.locale()));
            }
        });
    };
    let mut is_first = true;
    effect(move || {
        let locale = page.i18n.locale();
        let Some(select) = select.get() else {
            return;
        };
        if std::mem::take(&mut is_first) && select.value() != locale {
            // A choice made before hydration.
            speak(select.value());
        } else {
            select.set_value(&locale);
        }
    });
    let options = LANGUAGES.map(|(locale, name)| {
        view! {
            <option value=locale lang=locale selected=locale == first>
                {name}
            </option>
        }
    });
    view! {
        <label class="visually-hidden" for="language">
            {t!("language")}
        </label>
        <select
            node_ref=select
            id="language"
            class="language"
            translate="no"
            on:change=move |event| speak(event_target_value(&event))
        >
            {options.into_iter().collect_view()}
        </select>
    }
}

#[cfg(test)]
mod tests {
    use countersign_shared::page_locale::PAGE_LOCALES;

    use super::*;

    #[test]
    fn every_language_of_the_page_can_be_chosen() {
        assert_eq!(LANGUAGES.map(|(locale, _)| locale), PAGE_LOCALES);
    }
}
