//! Applications that send people here, and take them back.
//!
//! Where a person goes in the end is checked here, on the server, before the
//! page is there: the page goes nowhere but to what it was told by us (OWASP
//! ASVS 5.0, 3.7.2; RFC 9700, 4.11).

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

/// The longest address and the longest `state`, in bytes.
const LONGEST: usize = 2048;

/// The one character that no HTML document can hold, not even as a reference
/// (HTML, 13.2.5.80): browsers read U+FFFD in its place.
const NOT_IN_HTML: char = '\0';

/// Where people may be sent back to, and who may have the page inside.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Addresses to go back to.
    pub return_urls: ReturnUrls,
    /// Origins whose pages may have this one inside.
    pub embed_origins: AllowedOrigins,
}

/// Addresses to go back to.
#[derive(Clone, Debug, Default)]
pub struct ReturnUrls {
    /// Of sites: an exact origin, and a path that begins with the given one.
    sites: Vec<Url>,
    /// Of applications on a device: the whole address as it stands.
    applications: Vec<String>,
}

impl ReturnUrls {
    /// Takes https addresses, http ones on loopback, or such of a private scheme,
    /// without query or fragment. Answers the first that is none.
    pub fn new<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        // No host has a star in it; who writes one hopes for a pattern.
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

    /// The address as it is gone to, where that is allowed.
    fn allowed(&self, text: &str, nonce: Option<&str>) -> Option<String> {
        // Any application may claim a private scheme (RFC 8252, 8.6). What it gets
        // is of no use to it where the one that asked looks for its own nonce.
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

/// An address of an application on a device, such as `com.example.shop:/verified`. Its
/// scheme is a domain turned around (RFC 8252, 7.1): the dot keeps out those that run
/// code or open files, such as `javascript:` and `file:`, and a slash after the colon
/// keeps out `shop.example:8080`.
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

/// An address that people can be sent to, as browsers read it (the URL
/// standard): it names no user, and has no fragment, which is ours to fill.
fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= LONGEST)?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    // Browsers take these away or turn them around; nobody writes them in good faith.
    let is_clean = !text
        .chars()
        .any(|c| c == '\\' || c.is_control() || c.is_whitespace());
    (tls::is_private(&url) && is_plain && is_clean && url.fragment().is_none()).then_some(url)
}

/// What the page's address may ask for.
#[derive(Debug, Default, Deserialize)]
pub struct Query {
    /// Where to go in the end.
    return_to: Option<String>,
    /// The origin of the page around this one.
    embed: Option<String>,
    /// The application's own word, handed back as it came.
    state: Option<String>,
    /// What the proof is to repeat.
    nonce: Option<String>,
    /// The application that it is for.
    pub application: Option<String>,
    /// The page that a server began: all else but the language is known then.
    pub page: Option<String>,
    /// The language.
    pub locale: Option<String>,
}

/// Where the person came from.
#[derive(Debug, PartialEq, Eq)]
pub struct Host {
    /// The way back.
    pub way: ReturnTarget,
    /// The application's own word.
    pub state: Option<String>,
    /// What the proof is to repeat.
    pub nonce: Option<String>,
}

/// The way back to the application.
#[derive(Debug, PartialEq, Eq)]
pub enum ReturnTarget {
    /// To this address.
    Return(String),
    /// To the page around this one, of this origin.
    Embed(String),
}

/// What the address asks for is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl Query {
    /// Whether it says nothing but the page and the language.
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

    /// Reads it strictly: a field that comes twice, or bytes that are not UTF-8,
    /// would come back to the application as something else than it sent.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        percent_decode_str(text)
            .decode_utf8()
            .map_err(|_| Refused)?;
        let query = web::Query::<Self>::from_query(text).map_err(|_| Refused)?;
        Ok(query.into_inner())
    }
}

/// Whether a page that a server begins leads back where its application allows; else the
/// field that is wrong.
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
        // A proof that reaches nobody is of no use.
        Ok(None) | Err(Refused) => Err(field),
        Ok(Some(_)) => Ok(()),
    }
}

/// How a page that a server began leads back now.
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

/// The application that the page is for, and where the person came from. Whoever names
/// no application means the first that lists the way back.
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
    /// Those of an application.
    fn of(application: &Application) -> Self {
        let return_urls = application.return_urls.iter().map(String::as_str);
        Self {
            return_urls: ReturnUrls::new(return_urls).unwrap_or_default(),
            embed_origins: AllowedOrigins::new(application.embed_origins.clone())
                .unwrap_or_default(),
        }
    }

    /// Where the person came from; nothing for somebody who came alone.
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
