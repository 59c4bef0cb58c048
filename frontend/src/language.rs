//! The reader's language: found, chosen, and put on the page.

use countersign_shared::page_locale;
use leptos::prelude::*;
use web_sys::HtmlElement;

use crate::{browser, dom, page::Page, spawn::spawn, texts::Texts};

/// The language to begin with: as the page's address asks, as the reader's
/// browser wishes, or as the server thought best.
pub(crate) fn first() -> &'static str {
    let asked = browser::query("locale").into_iter();
    let wishes: Vec<String> = asked
        .chain(browser::languages())
        .chain(browser::page_language())
        .collect();
    page_locale::negotiate(wishes.iter().map(String::as_str)).unwrap_or("en")
}

/// Follows the choice of another language, and puts the texts in their places.
pub(crate) fn language(page: Page, root: HtmlElement) {
    dom::on("language", "change", move || {
        page.speak(browser::value("language"));
    });
    dom::follow(move || {
        let texts = page.texts.get();
        let direction = page_locale::direction(&texts.locale);
        browser::set_page_language(&texts.locale, direction);
        browser::set_value("language", &texts.locale);
        for (element, key) in dom::with_text(&root) {
            dom::show(&element, &texts.get(&key));
        }
    });
}

impl Page {
    fn speak(self, locale: String) {
        spawn(async move {
            let texts = Texts::of(&locale).await;
            self.texts.try_set(texts);
        });
    }
}
