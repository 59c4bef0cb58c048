//! Prerenders the page's documents, one per language and start.

use countersign_shared::page_locale::{self, PAGE_LOCALES};
use leptos::prelude::*;

use crate::{
    app::{App, Start},
    components::Notices,
    i18n::{I18n, Language, key},
};

/// A prerendered document.
pub struct Document {
    /// Path in the built page.
    pub path: String,
    /// Its HTML.
    pub html: String,
}

/// Renders all documents from the built `index.html` and the texts of each language.
/// `texts` returns the content of a language's file.
///
/// # Errors
///
/// If a language's file cannot be read, or `template` lacks a part that is to be
/// replaced.
pub fn documents(
    template: &str,
    texts: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Document>, String> {
    let mut documents = Vec::new();
    for locale in PAGE_LOCALES {
        let json = texts(locale).ok_or_else(|| format!("{locale}: no texts"))?;
        let texts = serde_json::from_str(&json).map_err(|error| format!("{locale}: {error}"))?;
        let language = Language::new(locale, texts).or_english();
        for start in Start::ALL {
            documents.push(Document {
                path: page_locale::document(locale, start.as_str()),
                html: document(template, start, &language)?,
            });
        }
    }
    Ok(documents)
}

fn document(template: &str, start: Start, language: &Language) -> Result<String, String> {
    let locale = &language.locale;
    let root = format!(
        "<html lang=\"{locale}\" dir=\"{}\" data-start=\"{}\">",
        page_locale::direction(locale),
        start.as_str(),
    );
    let title = language.get(match start {
        Start::EnterPhone | Start::ConfirmNumber => key!("phone-heading"),
        Start::Refused => key!("refused-heading"),
    });
    // In a script element only `</script` and `<!--` are special, and both begin with
    // `<`.
    let texts = serde_json::to_string(language.texts()).map_err(|error| error.to_string())?;
    let texts = texts.replace('<', "\\u003c");
    let app = render(language, {
        let language = language.clone();
        move || view! { <App start language /> }
    });
    let notices = render(language, || view! { <Notices /> });
    let html = replaced(template, ("<html", ">"), &root)?;
    let html = replaced(
        &html,
        ("<title>", "</title>"),
        &format!("<title>{title}</title>"),
    )?;
    let html = replaced(
        &html,
        ("<div class=\"notices\">", "</div>"),
        &format!("<div class=\"notices\">{notices}</div>"),
    )?;
    replaced(
        &html,
        ("<div id=\"app\">", "</div>"),
        &format!(
            "<div id=\"app\" data-step=\"{}\">{app}</div>\
             <script id=\"texts\" type=\"application/json\">{texts}</script>",
            start.as_str()
        ),
    )
}

fn render<V: IntoView>(language: &Language, view: impl FnOnce() -> V) -> String {
    let owner = Owner::new_root(None);
    let html = owner.with(|| {
        provide_context(I18n::new(language.clone()));
        view().to_html()
    });
    drop(owner);
    html
}

/// Replaces the part of the text between two markers.
fn replaced(text: &str, (start, end): (&str, &str), with: &str) -> Result<String, String> {
    let missing = || format!("index.html has no {start}…{end}");
    let (before, rest) = text.split_once(start).ok_or_else(missing)?;
    let (_, after) = rest.split_once(end).ok_or_else(missing)?;
    Ok(format!("{before}{with}{after}"))
}
