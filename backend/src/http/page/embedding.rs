//! Applications that redirect users here or embed the page.
//!
//! The return target is validated here, on the server, before the page is delivered: the
//! page only ever navigates to what the server wrote (OWASP ASVS 5.0, 3.7.2; RFC 9700,
//! 4.11).

mod return_path;

use std::sync::Arc;

use actix_web::web;
use countersign_core::{Application, Applications};
use countersign_shared::send::is_nonce;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use serde::Deserialize;

use crate::{http::allowed_origins::AllowedOrigins, verification::WayBack};
use countersign_platform::tls;

/// Maximum length of a URL and of `state`, in bytes.
const LONGEST: usize = 2048;

/// The one character that HTML cannot represent, not even as a reference (HTML, 13.2.5.80):
/// browsers read U+FFFD in its place.
const NOT_IN_HTML: char = '\0';

/// Allowed return URLs and embedding origins.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Allowed return URLs.
    pub return_urls: ReturnUrls,
    /// Origins that may embed the page.
    pub embed_origins: AllowedOrigins,
}

/// Allowed return URLs.
#[derive(Clone, Debug, Default)]
pub struct ReturnUrls {
    /// Of web sites: an exact origin and a path prefix.
    sites: Vec<Url>,
    /// Of native applications: the exact URL.
    applications: Vec<String>,
}

impl ReturnUrls {
    /// Parses https URLs, http URLs on loopback, and URLs of private schemes, without query
    /// or fragment. Returns the first invalid one.
    pub fn new<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        // A host contains no `*`; whoever writes one expects a pattern.
        let is_fixed = |url: &Url| url.query().is_none() && !url.as_str().contains('*');
        let mut urls = Self::default();
        for text in addresses {
            if has_private_scheme(text) {
                urls.applications.push(text.to_owned());
            } else if let Some(url) = address(text).filter(is_fixed) {
                urls.sites.push(url);
            } else {
                return Err(text.to_owned());
            }
        }
        Ok(urls)
    }

    /// The normalised URL, if it is allowed.
    fn allowed(&self, text: &str, nonce: Option<&str>) -> Option<String> {
        // Any application may register a private scheme (RFC 8252, 8.6). A stolen proof is
        // of no use if the legitimate application checks its own nonce, so a nonce is
        // required.
        if nonce.is_some() && self.applications.iter().any(|it| it == text) {
            return Some(text.to_owned());
        }
        address(text)
            .filter(|url| self.include(url))
            .map(String::from)
    }

    fn include(&self, url: &Url) -> bool {
        self.sites.iter().any(|allowed| {
            allowed.origin() == url.origin() && return_path::is_below(url.path(), allowed.path())
        })
    }
}

/// A native application's URL, such as `com.example.shop:/verified`. Its scheme is a
/// reversed domain (RFC 8252, 7.1): the dot excludes schemes that run code or open files,
/// such as `javascript:` and `file:`, and the slash after the colon excludes
/// `shop.example:8080`.
fn has_private_scheme(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let is_scheme = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.')
    };
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"*?#\\\"<>@".contains(&byte);
    scheme.contains('.')
        && !scheme.ends_with('.')
        && scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(is_scheme)
        && rest.starts_with('/')
        && rest.bytes().all(is_plain)
        && text.len() <= LONGEST
}

/// A URL that users may be redirected to, as browsers parse it (URL standard): without user
/// information, and without a fragment, which we add.
fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= LONGEST)?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    // Browsers strip or convert these characters; no legitimate URL contains them.
    let is_clean = !text
        .chars()
        .any(|c| c == '\\' || c.is_control() || c.is_whitespace());
    (tls::is_private(&url) && is_plain && is_clean && url.fragment().is_none()).then_some(url)
}

/// The page's query parameters.
#[derive(Debug, Default, Deserialize)]
pub struct Query {
    /// URL to return to.
    return_to: Option<String>,
    /// Origin of the embedding page.
    embed: Option<String>,
    /// Opaque string of the application, returned unchanged.
    state: Option<String>,
    /// Nonce for the proof.
    nonce: Option<String>,
    /// Id of the application.
    pub application: Option<String>,
    /// Id of a page that the application's server began; no other parameter but the
    /// language is allowed then.
    pub page: Option<String>,
    /// The language.
    pub locale: Option<String>,
}

/// The application's parameters, validated.
#[derive(Debug, PartialEq, Eq)]
pub struct Host {
    /// How to return.
    pub way: ReturnTarget,
    /// Opaque string of the application.
    pub state: Option<String>,
    /// Nonce for the proof.
    pub nonce: Option<String>,
}

/// How the page returns to the application.
#[derive(Debug, PartialEq, Eq)]
pub enum ReturnTarget {
    /// By redirect to this URL.
    Return(String),
    /// By a message to the embedding page of this origin.
    Embed(String),
}

/// The parameters are not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl Query {
    /// Whether it contains only the page's id and the language.
    pub fn is_page_alone(&self) -> bool {
        let others = [
            &self.return_to,
            &self.embed,
            &self.state,
            &self.nonce,
            &self.application,
        ];
        others.iter().all(|other| other.is_none())
    }

    /// Parses the query strictly: a repeated field, or bytes that are not UTF-8, would be
    /// returned to the application changed.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        percent_decode_str(text)
            .decode_utf8()
            .map_err(|_| Refused)?;
        let query = web::Query::<Self>::from_query(text).map_err(|_| Refused)?;
        Ok(query.into_inner())
    }
}

/// Validates how a page that a server begins returns; the error is the invalid field.
pub fn check(
    application: &Application,
    way_back: &WayBack,
    nonce: Option<&str>,
) -> Result<(), &'static str> {
    let field = match (&way_back.return_to, &way_back.embed) {
        (_, Some(_)) => "embed",
        _ => "return_to",
    };
    match host(application, way_back, nonce) {
        // Without a way to return, the proof would reach nobody.
        Ok(None) | Err(Refused) => Err(field),
        Ok(Some(_)) => Ok(()),
    }
}

/// How a page that a server began returns, by the current settings.
pub fn host(
    application: &Application,
    way_back: &WayBack,
    nonce: Option<&str>,
) -> Result<Option<Host>, Refused> {
    Hosts::of(application).read(&Query {
        return_to: way_back.return_to.clone(),
        embed: way_back.embed.clone(),
        state: way_back.state.clone(),
        nonce: nonce.map(str::to_owned),
        ..Query::default()
    })
}

/// The page's application, and its validated parameters. Without an id it is the first
/// application that lists the return target.
pub fn read(
    query: &Query,
    applications: &Applications,
) -> Result<(Arc<Application>, Option<Host>), Refused> {
    let named = query.application.as_deref();
    let mut candidates = applications
        .iter()
        .filter(|it| named.is_none_or(|named| named == it.id.as_str()));
    candidates
        .find_map(|application| {
            let host = Hosts::of(application).read(query).ok()?;
            let is_page = host.is_some() || application.takes_strangers;
            is_page.then(|| (application.clone(), host))
        })
        .ok_or(Refused)
}

impl Hosts {
    /// The allowed targets of an application.
    fn of(application: &Application) -> Self {
        let return_urls = application.return_urls.iter().map(String::as_str);
        Self {
            return_urls: ReturnUrls::new(return_urls).unwrap_or_default(),
            embed_origins: AllowedOrigins::new(application.embed_origins.clone())
                .unwrap_or_default(),
        }
    }

    /// The validated parameters; none for a user who came directly.
    pub fn read(&self, query: &Query) -> Result<Option<Host>, Refused> {
        let way = match (&query.return_to, &query.embed) {
            (None, None) => return Ok(None),
            (Some(text), None) => {
                let address = self.return_urls.allowed(text, query.nonce.as_deref());
                ReturnTarget::Return(address.ok_or(Refused)?)
            }
            (None, Some(origin)) if self.embed_origins.contains(origin) => {
                ReturnTarget::Embed(origin.clone())
            }
            _ => return Err(Refused),
        };
        let state = query.state.clone();
        let nonce = query.nonce.clone();
        let is_carried = |state: &String| state.len() <= LONGEST && !state.contains(NOT_IN_HTML);
        let is_word = nonce.as_deref().is_none_or(is_nonce);
        if !state.as_ref().is_none_or(is_carried) || !is_word {
            return Err(Refused);
        }
        Ok(Some(Host { way, state, nonce }))
    }
}

#[cfg(test)]
mod tests;
