//! The page's HTML: one document per language and start, prerendered when the page is built
//! (`frontend/src/prerender.rs`).
//!
//! The built documents carry no brand. Here they get the operator's name and branding, so
//! that the first paint is right. The content of the mount point stays as rendered, byte
//! for byte: the program hydrates it, and a missing or extra element would stop it. The
//! program reads its parameters from attributes of the root, `<html>`.

use std::collections::HashMap;

use countersign_shared::page_locale::{self, PAGE_LOCALES};
use lol_html::{
    RewriteStrSettings, element,
    html_content::{ContentType, Element},
    rewrite_str,
};

use super::source::PageFiles;
use crate::http::page::embedding::{Host, ReturnTarget};
use crate::http::precompressed::Precompressed;

/// Branding of the page.
#[derive(Clone, Debug)]
pub struct Branding {
    /// The brand name.
    pub brand_name: String,
    /// True in sandbox.
    pub is_sandbox: bool,
    /// The application's id, unless it is the default one.
    pub application: Option<String>,
    /// Path of the application's style, if there is one.
    pub theme: Option<String>,
    /// Path of the application's logo, if there is one.
    pub logo: Option<String>,
}

/// The page's start, by its name in the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Start {
    /// The phone form.
    EnterPhone,
    /// The confirmation of a number that the application's server knows.
    ConfirmNumber,
    /// The notice that the link does not work.
    Refused,
}

impl Start {
    const ALL: [Self; 3] = [Self::EnterPhone, Self::ConfirmNumber, Self::Refused];

    const fn as_str(self) -> &'static str {
        match self {
            Self::EnterPhone => "enter-phone",
            Self::ConfirmNumber => "confirm-number",
            Self::Refused => "refused",
        }
    }
}

/// The page's documents.
pub struct Index {
    pages: HashMap<&'static str, Precompressed>,
    confirmations: HashMap<&'static str, String>,
    refusals: HashMap<&'static str, String>,
}

impl Index {
    /// Prepares the documents. A language whose document cannot be read is left out; for
    /// English there is always at least `html`, the page that is not prerendered.
    pub fn new(html: &str, files: &PageFiles, branding: &Branding) -> Self {
        let mut index = Self {
            pages: HashMap::new(),
            confirmations: HashMap::new(),
            refusals: HashMap::new(),
        };
        for locale in PAGE_LOCALES {
            for start in Start::ALL {
                let document = prerendered(files, locale, start);
                let Some(document) = document.or((locale == "en").then_some(html)) else {
                    continue;
                };
                let page = personal(document, start, branding);
                match start {
                    Start::EnterPhone => {
                        let page = Precompressed::new(HTML, page.into_bytes());
                        index.pages.insert(locale, page);
                    }
                    Start::ConfirmNumber => {
                        index.confirmations.insert(locale, page);
                    }
                    Start::Refused => {
                        index.refusals.insert(locale, page);
                    }
                }
            }
        }
        index
    }

    /// The page in that language, or in English.
    pub fn page(&self, locale: &str) -> &Precompressed {
        self.pages.get(locale).unwrap_or_else(|| &self.pages["en"])
    }

    /// The page for a user sent by an application.
    pub fn hosted(&self, locale: &str, host: &Host) -> String {
        let page = str::from_utf8(self.page(locale).plain()).expect("it was made of a str");
        told(page, host, &[])
    }

    /// The page for a number that the application's server knows, described by these
    /// attributes.
    pub fn confirmation(&self, locale: &str, host: &Host, begun: &[(&str, &str)]) -> String {
        let page = self.confirmations.get(locale);
        let page = page.unwrap_or_else(|| &self.confirmations["en"]);
        told(page, host, begun)
    }

    /// The page for a link that is not allowed.
    pub fn refused(&self, locale: &str) -> String {
        let page = self.refusals.get(locale);
        page.unwrap_or_else(|| &self.refusals["en"]).clone()
    }
}

/// The documents as built, for their inline scripts and styles.
pub fn built<'a>(html: &'a str, files: &'a PageFiles) -> Vec<&'a str> {
    let starts = PAGE_LOCALES
        .into_iter()
        .flat_map(|locale| Start::ALL.map(|start| (locale, start)));
    let documents = starts.filter_map(|(locale, start)| prerendered(files, locale, start));
    [html].into_iter().chain(documents).collect()
}

fn prerendered<'a>(files: &'a PageFiles, locale: &str, start: Start) -> Option<&'a str> {
    let document = files.get(&page_locale::document(locale, start.as_str()))?;
    str::from_utf8(document.plain()).ok()
}

/// A document with the application's parameters and further attributes.
fn told(page: &str, host: &Host, more: &[(&str, &str)]) -> String {
    let told = element!("html", |root| {
        let (name, value) = match &host.way {
            ReturnTarget::Return(address) => ("data-return-to", address),
            ReturnTarget::Embed(origin) => ("data-embedded-in", origin),
        };
        set_text_attribute(root, name, value)?;
        for (name, word) in [("data-state", &host.state), ("data-nonce", &host.nonce)] {
            if let Some(word) = word {
                set_text_attribute(root, name, word)?;
            }
        }
        for (name, word) in more {
            set_text_attribute(root, name, word)?;
        }
        Ok(())
    });
    rewrite(
        page,
        RewriteStrSettings::new().append_element_content_handler(told),
    )
}

/// Its content type.
pub(super) const HTML: &str = "text/html; charset=utf-8";

type Rewritten = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Writes an attribute with exactly that text as its value. `set_attribute` takes HTML and
/// escapes only quotes: `&period;` would become a dot, and a carriage return a line feed
/// (HTML, 13.2.3.5 and 13.2.5.72).
fn set_text_attribute(element: &mut Element<'_, '_>, name: &str, text: &str) -> Rewritten {
    let html = text.replace('&', "&amp;").replace('\r', "&#13;");
    element.set_attribute(name, &html)?;
    Ok(())
}

/// A document with the operator's name and branding.
fn personal(html: &str, start: Start, branding: &Branding) -> String {
    let root = |root: &mut Element<'_, '_>| -> Rewritten {
        root.set_attribute("data-start", start.as_str())?;
        set_text_attribute(root, "data-brand", &branding.brand_name)?;
        if let Some(application) = &branding.application {
            set_text_attribute(root, "data-application", application)?;
        }
        if branding.is_sandbox {
            root.set_attribute("data-sandbox", "")?;
        }
        Ok(())
    };
    let mut handlers = vec![
        element!("html", root),
        element!("title", |title| {
            title.append(&format!(" · {}", branding.brand_name), ContentType::Text);
            Ok(())
        }),
        element!("#brand", |brand| {
            brand.set_inner_content(&branding.brand_name, ContentType::Text);
            Ok(())
        }),
    ];
    if let Some(theme) = &branding.theme {
        // Last in the head, so that it overrides our style.
        handlers.push(element!("head", move |head| {
            let link = format!("<link rel=\"stylesheet\" href=\"{theme}\" />");
            head.append(&link, ContentType::Html);
            Ok(())
        }));
    }
    if let Some(logo) = &branding.logo {
        handlers.push(element!("header .brand-mark", move |mark| {
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
    // Fails only on documents nested without end; ours was built with the program. Shown
    // unbranded rather than not at all.
    let mut rewritten = rewrite_str(html, settings).unwrap_or_else(|_| html.to_owned());
    // It is kept.
    rewritten.shrink_to_fit();
    rewritten
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT: &str = "<!doctype html><html lang=\"en\" data-start=\"enter-phone\"><head>\
        <title>Verify</title></head><body><header><span class=\"brand-mark\"></span>\
        <span id=\"brand\">Countersign</span></header>\
        <div id=\"app\"><p>a<!>b</p><span class=\"brand-mark\"></span> <!></div>\
        </body></html>";

    fn index() -> Index {
        let branding = Branding {
            brand_name: "A <b> & \"c\"".to_owned(),
            is_sandbox: true,
            application: Some("shop".to_owned()),
            theme: Some("/theme.css".to_owned()),
            logo: Some("/brand-logo".to_owned()),
        };
        Index::new(BUILT, &PageFiles::default(), &branding)
    }

    fn mount_point(html: &str) -> &str {
        let (_, rest) = html.split_once("<div id=\"app\"").unwrap();
        rest.split_once("</div>").unwrap().0
    }

    #[test]
    fn what_the_program_hydrates_is_left_as_it_was_rendered() {
        let index = index();
        let host = Host {
            way: ReturnTarget::Return("https://shop.example/?a=\"&b=<c>".to_owned()),
            state: Some("'\"><script>".to_owned()),
            nonce: Some("n".to_owned()),
        };
        let page = str::from_utf8(index.page("en").plain()).unwrap();
        let confirmation = index.confirmation("en", &host, &[("data-recipient", "\"<b>")]);
        assert!(
            confirmation.contains("data-recipient=\"&quot;<b>\""),
            "{confirmation}"
        );
        assert!(confirmation.contains("data-start=\"confirm-number\""));
        for html in [
            page,
            &confirmation,
            &index.hosted("en", &host),
            &index.refused("en"),
        ] {
            assert_eq!(mount_point(html), mount_point(BUILT), "{html}");
        }
    }

    #[test]
    fn the_operators_branding_is_there() {
        let index = index();
        let page = str::from_utf8(index.page("en").plain()).unwrap();
        for part in [
            "<title>Verify · A &lt;b&gt; &amp; \"c\"</title>",
            "<span id=\"brand\">A &lt;b&gt; &amp; \"c\"</span>",
            "<header><img class=\"logo\" src=\"/brand-logo\" alt=\"\" />",
            "<link rel=\"stylesheet\" href=\"/theme.css\" /></head>",
            "data-sandbox=\"\"",
            "data-application=\"shop\"",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(index.refused("en").contains("data-start=\"refused\""));
    }

    #[test]
    fn what_is_written_on_the_page_is_escaped_as_html_wants_it() {
        let branding = Branding {
            brand_name: "A & B".to_owned(),
            is_sandbox: false,
            application: None,
            theme: None,
            logo: None,
        };
        let html = "<html><div id=app></div><b id=brand></b></html>";
        let index = Index::new(html, &PageFiles::default(), &branding);
        let host = Host {
            way: ReturnTarget::Return("https://shop.example/&period;&period;/\"'<>".to_owned()),
            state: Some("&amp;\r\n\u{a0}".to_owned()),
            nonce: Some("&#35;".to_owned()),
        };
        let page = index.hosted("en", &host);
        for written in [
            r#"data-return-to="https://shop.example/&amp;period;&amp;period;/&quot;'<>""#,
            "data-state=\"&amp;amp;&#13;\n\u{a0}\"",
            r#"data-nonce="&amp;#35;""#,
            "<b id=brand>A &amp; B</b>",
            r#"data-brand="A &amp; B""#,
        ] {
            assert!(page.contains(written), "{written} in {page}");
        }
    }
}
