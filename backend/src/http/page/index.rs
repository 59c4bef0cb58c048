//! The page's HTML, made ready once for each language.
//!
//! Built it is English and nobody's. Here it gets its words, the operator's name
//! and looks, so that what a person sees first is already right.

use std::collections::HashMap;

use countersign_shared::page_locale;
use lol_html::{
    RewriteStrSettings, element,
    html_content::{ContentType, Element},
    rewrite_str,
};

use super::source::PageFiles;
use crate::http::page::embedding::{Host, Way};
use crate::http::precompressed::Encoded;

/// What the operator makes of the page.
#[derive(Clone, Debug)]
pub struct Looks {
    /// The name people see.
    pub brand_name: String,
    /// True when nothing is really sent.
    pub is_sandbox: bool,
    /// Where the operator's style is read, if there is one.
    pub theme: Option<&'static str>,
    /// Where the operator's logo is read, if there is one.
    pub logo: Option<&'static str>,
}

/// The texts of one language.
type Texts = HashMap<String, serde_json::Value>;

/// The page in every language that its texts are there in.
pub struct Index {
    languages: HashMap<&'static str, Encoded>,
}

impl Index {
    /// Makes it ready. A language whose texts cannot be read is left out;
    /// English is inside.
    pub fn new(html: &str, files: &PageFiles, looks: &Looks) -> Self {
        let languages = page_locale::PAGE_LOCALES.into_iter().filter_map(|locale| {
            let texts = files.get(&page_locale::path(locale));
            let texts = texts.and_then(|it| serde_json::from_slice::<Texts>(it.plain()).ok());
            let page = match texts {
                Some(texts) => translated(html, locale, &texts, looks),
                None if locale == "en" => translated(html, locale, &Texts::new(), looks),
                None => return None,
            };
            Some((locale, Encoded::new(HTML, page.into_bytes())))
        });
        Self {
            languages: languages.collect(),
        }
    }

    /// The page in that language, or else in English.
    pub fn page(&self, locale: &str) -> &Encoded {
        self.languages
            .get(locale)
            .unwrap_or_else(|| &self.languages["en"])
    }

    /// The page for somebody who came from an application.
    pub fn hosted(&self, locale: &str, host: &Host) -> String {
        rewritten(self.page(locale), |root| {
            let (name, value) = match &host.way {
                Way::Return(address) => ("data-return-to", address),
                Way::Embed(origin) => ("data-embedded-in", origin),
            };
            set_text_attribute(root, name, value)?;
            for (name, word) in [("data-state", &host.state), ("data-nonce", &host.nonce)] {
                if let Some(word) = word {
                    set_text_attribute(root, name, word)?;
                }
            }
            Ok(())
        })
    }

    /// The page that says that it cannot lead back.
    pub fn refused(&self, locale: &str) -> String {
        rewritten(self.page(locale), |root| {
            root.set_attribute("data-step", "refused")?;
            Ok(())
        })
    }
}

/// What browsers are told that it is.
pub(super) const HTML: &str = "text/html; charset=utf-8";

type Rewritten = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Writes an attribute that browsers read as exactly that text. `set_attribute`
/// takes HTML and escapes no more than the quotes: in it `&period;` is a dot, and
/// a carriage return a line feed (HTML, 13.2.3.5 and 13.2.5.72).
fn set_text_attribute(element: &mut Element<'_, '_>, name: &str, text: &str) -> Rewritten {
    let html = text.replace('&', "&amp;").replace('\r', "&#13;");
    element.set_attribute(name, &html)?;
    Ok(())
}

fn rewritten(page: &Encoded, change: impl Fn(&mut Element<'_, '_>) -> Rewritten) -> String {
    let html = str::from_utf8(page.plain()).expect("it was made of a str");
    let settings = RewriteStrSettings::new();
    let handler = element!("#app", move |root| change(root));
    rewrite(html, settings.append_element_content_handler(handler))
}

fn translated(html: &str, locale: &str, texts: &Texts, looks: &Looks) -> String {
    let text = |key: &str| texts.get(key).and_then(|text| text.as_str());
    let put_text = |element: &mut Element<'_, '_>| -> Rewritten {
        let key = element.get_attribute("data-text").unwrap_or_default();
        if let Some(text) = text(&key) {
            element.set_inner_content(text, ContentType::Text);
        }
        Ok(())
    };
    let put_title = |title: &mut Element<'_, '_>| -> Rewritten {
        if let Some(heading) = text("phone-heading") {
            let title_text = format!("{heading} · {}", looks.brand_name);
            title.set_inner_content(&title_text, ContentType::Text);
        }
        Ok(())
    };
    let mut handlers = vec![
        element!("html", |root| {
            root.set_attribute("lang", locale)?;
            root.set_attribute("dir", page_locale::direction(locale))?;
            Ok(())
        }),
        element!("title", put_title),
        element!("[data-text]", put_text),
        element!("#brand", |brand| {
            brand.set_inner_content(&looks.brand_name, ContentType::Text);
            Ok(())
        }),
        element!("#language option", |option| {
            option.remove_attribute("selected");
            if option.get_attribute("value").as_deref() == Some(locale) {
                option.set_attribute("selected", "")?;
            }
            Ok(())
        }),
    ];
    if looks.is_sandbox {
        handlers.push(element!("#sandbox", |banner| {
            banner.remove_attribute("hidden");
            Ok(())
        }));
    }
    if let Some(theme) = looks.theme {
        // Last in the head, so that it wins.
        handlers.push(element!("head", move |head| {
            let link = format!("<link rel=\"stylesheet\" href=\"{theme}\" />");
            head.append(&link, ContentType::Html);
            Ok(())
        }));
    }
    if let Some(logo) = looks.logo {
        handlers.push(element!(".brand-mark", move |mark| {
            let image = format!("<img class=\"logo\" src=\"{logo}\" alt=\"\" />");
            mark.replace(&image, ContentType::Html);
            Ok(())
        }));
    }
    let settings = handlers.into_iter().fold(
        RewriteStrSettings::new(),
        RewriteStrSettings::append_element_content_handler,
    );
    rewrite(html, settings)
}

fn rewrite(html: &str, settings: RewriteStrSettings<'_, '_>) -> String {
    // Fails on documents that nest without end, and ours was built with the
    // program: it is shown as it is rather than not at all.
    rewrite_str(html, settings).unwrap_or_else(|_| html.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_on_the_page_is_escaped_as_html_wants_it() {
        let looks = Looks {
            brand_name: "A & B".to_owned(),
            is_sandbox: false,
            theme: None,
            logo: None,
        };
        let html = "<html><div id=app></div><b id=brand></b></html>";
        let index = Index::new(html, &PageFiles::default(), &looks);
        let host = Host {
            way: Way::Return("https://shop.example/&period;&period;/\"'<>".to_owned()),
            state: Some("&amp;\r\n\u{a0}".to_owned()),
            nonce: Some("&#35;".to_owned()),
        };
        let page = index.hosted("en", &host);
        for written in [
            r#"data-return-to="https://shop.example/&amp;period;&amp;period;/&quot;'<>""#,
            "data-state=\"&amp;amp;&#13;\n\u{a0}\"",
            r#"data-nonce="&amp;#35;""#,
            "<b id=brand>A &amp; B</b>",
        ] {
            assert!(page.contains(written), "{written} in {page}");
        }
    }
}
