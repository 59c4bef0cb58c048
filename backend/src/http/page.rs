//! The built page's files.

mod branding;
mod embed;
pub mod embedding;
pub mod index;
mod operator_file;
pub mod source;

use std::{
    io::{Error as IoError, ErrorKind},
    sync::Arc,
};

use actix_web::{
    Error, HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{
            AcceptLanguage, CACHE_CONTROL, CONTENT_TYPE, Header, HeaderValue, LanguageTag,
            Preference, VARY,
        },
    },
    middleware::{Next, from_fn},
    web::{self, Data, ServiceConfig},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use countersign_core::Application;
use countersign_shared::{SessionId, page_locale};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use self::{
    branding::{LOGO_PATH, THEME_PATH, branding, logo, theme},
    embed::{Embed, SCRIPT_PATH, TYPES_PATH},
    index::{HTML, Index, built},
    operator_file::OperatorFiles,
    source::PageFiles,
};
pub use self::{index::Branding, source::PageSource};
use crate::http::page::embedding::{Query, ReturnTarget};
use crate::http::per_application::PerApplication;
use crate::http::{
    bulkhead::Bulkheads,
    middleware::security_headers::{FramedBy, Inline},
    problem::{ApiError, ForPeople},
    state::AppState,
};
use crate::verification::ApplicationRegistry;

/// Path of the page's files.
const FILES: &str = "/{file:.*}";

/// The page's files and documents.
#[derive(Clone)]
pub struct SinglePageApp {
    files: Data<PageFiles>,
    inline: Inline,
    served: Data<Served>,
    embed: Data<Embed>,
}

/// State of the handlers of the page.
struct Served {
    html: String,
    files: Data<PageFiles>,
    indices: PerApplication<Index>,
    looked_at: OperatorFiles,
    applications: ApplicationRegistry,
    is_sandbox: bool,
    default_locale: String,
}

impl Served {
    /// Documents with the application's branding.
    fn index(&self, application: &Arc<Application>) -> Arc<Index> {
        self.indices.get(application, || {
            let is_first = self.applications.current().first().id == application.id;
            let branding = branding(application, is_first, self.is_sandbox);
            Index::new(&self.html, &self.files, &branding)
        })
    }
}

/// Settings of the page.
#[derive(Clone)]
pub struct PageSettings {
    /// Source of the built page.
    pub source: PageSource,
    /// The applications: their branding, return URLs and embedding origins.
    pub applications: ApplicationRegistry,
    /// True in sandbox.
    pub is_sandbox: bool,
    /// Language for users whose own is not available.
    pub default_locale: String,
}

impl SinglePageApp {
    /// Loads the page; none without an `index.html`.
    pub fn read(settings: PageSettings) -> std::io::Result<Self> {
        let files = settings.source.files()?;
        let index = files.get("/index.html");
        let index = index.ok_or_else(|| IoError::from(ErrorKind::NotFound))?;
        let html = str::from_utf8(index.plain())
            .map_err(IoError::other)?
            .to_owned();
        let built = built(&html, &files);
        let inline = Inline {
            scripts: hashes(&built, "script"),
            styles: hashes(&built, "style"),
        };
        let files = Data::new(files);
        let served = Served {
            html,
            files: files.clone(),
            indices: PerApplication::default(),
            looked_at: OperatorFiles::default(),
            applications: settings.applications,
            is_sandbox: settings.is_sandbox,
            default_locale: settings.default_locale,
        };
        // Prepared before the first request.
        served.index(served.applications.current().first());
        Ok(Self {
            inline,
            served: Data::new(served),
            embed: Data::new(Embed::new()),
            files,
        })
    }

    /// Hashes of inline scripts and styles, for the content security policy.
    pub fn inline(&self) -> &Inline {
        &self.inline
    }

    /// Registers the routes: each file in the best encoding that the browser accepts.
    pub fn configure(&self, config: &mut ServiceConfig) {
        let mut scope = web::scope("")
            .app_data(self.served.clone())
            .app_data(self.files.clone())
            .app_data(self.embed.clone());
        for path in ["/", "/index.html"] {
            scope = scope
                .route(path, web::get().to(page))
                .route(path, web::head().to(page));
        }
        scope = scope
            .route(THEME_PATH, web::get().to(theme))
            .route(THEME_PATH, web::head().to(theme))
            .route(LOGO_PATH, web::get().to(logo))
            .route(LOGO_PATH, web::head().to(logo))
            .route(SCRIPT_PATH, web::get().to(embed_script))
            .route(SCRIPT_PATH, web::head().to(embed_script))
            .route(TYPES_PATH, web::get().to(embed_types))
            .route(TYPES_PATH, web::head().to(embed_types));
        // The first matching route is used.
        let scope = scope
            .route(FILES, web::get().to(file))
            .route(FILES, web::head().to(file));
        config.service(web::scope("").wrap(from_fn(keep)).service(scope));
    }
}

/// One of the page's files.
async fn file(request: HttpRequest, files: Data<PageFiles>) -> Result<HttpResponse, ApiError> {
    let path = percent_decode_str(request.path()).decode_utf8().ok();
    let found = path.and_then(|path| files.get(&path).map(|file| file.answer(&request)));
    found.ok_or(ApiError::NotFound)
}

/// The embed script.
async fn embed_script(request: HttpRequest, embed: Data<Embed>) -> HttpResponse {
    embed.script(&request)
}

/// The embed script's type declarations.
async fn embed_types(request: HttpRequest, embed: Data<Embed>) -> HttpResponse {
    embed.types(&request)
}

/// The page in the user's language, for the application in its parameters.
async fn page(request: HttpRequest, served: Data<Served>) -> HttpResponse {
    let query = Query::parse(request.query_string());
    let asked = query.as_ref().ok().and_then(|query| query.locale.clone());
    let wishes: Vec<String> = asked
        .into_iter()
        .chain(accepted_languages(&request))
        .chain([served.default_locale.clone()])
        .collect();
    let locale = page_locale::negotiate(wishes.iter().map(String::as_str)).unwrap_or("en");

    let shown = match &query {
        Ok(query) if query.page.is_some() => begun(&request, &served, query, locale).await,
        Ok(query) => hosted(&request, &served, query, locale),
        Err(refused) => Err(*refused),
    };
    let mut answer = shown.unwrap_or_else(|embedding::Refused| {
        let applications = served.applications.current();
        let html = served.index(applications.first()).refused(locale);
        let mut answer = once(HttpResponse::BadRequest(), html);
        answer.extensions_mut().insert(ForPeople);
        answer
    });
    answer.headers_mut().insert(
        VARY,
        HeaderValue::from_static("accept-encoding, accept-language"),
    );
    answer
}

/// The page without, or with an application's parameters.
fn hosted(
    request: &HttpRequest,
    served: &Served,
    query: &Query,
    locale: &str,
) -> Result<HttpResponse, embedding::Refused> {
    let (application, host) = embedding::read(query, &served.applications.current())?;
    let index = served.index(&application);
    Ok(match host {
        None => index.page(locale).answer(request),
        Some(host) => framed(index.hosted(locale, &host), host.way),
    })
}

/// The page that an application's server began for a number.
async fn begun(
    request: &HttpRequest,
    served: &Served,
    query: &Query,
    locale: &str,
) -> Result<HttpResponse, embedding::Refused> {
    let refused = embedding::Refused;
    let state = request.app_data::<Data<AppState>>().ok_or(refused)?;
    let bulkheads = request.app_data::<Data<Bulkheads>>().ok_or(refused)?;
    let name = query.page.as_deref().filter(|_| query.is_page_alone());
    let id = name.and_then(|name| SessionId::parse(name).ok());
    let id = id.ok_or(refused)?;
    let _turn = bulkheads.reads.enter().await.map_err(|_| refused)?;
    let page = state.verification.page(id).await.map_err(|_| refused)?;
    let nonce = page.contact.nonce.as_deref();
    let host = embedding::host(&page.application, &page.way_back, nonce)?.ok_or(refused)?;
    let number = page.contact.recipient.masked();
    let index = served.index(&page.application);
    let begun = [
        ("data-page", id.to_string()),
        ("data-recipient", number),
        ("data-channel", page.channel.as_str().to_owned()),
    ];
    let begun = begun
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let html = index.confirmation(locale, &host, &begun);
    Ok(framed(html, host.way))
}

/// A response for this user only, which an origin may embed.
fn framed(html: String, way: ReturnTarget) -> HttpResponse {
    let mut answer = once(HttpResponse::Ok(), html);
    if let ReturnTarget::Embed(origin) = way {
        answer.extensions_mut().insert(FramedBy(origin));
    }
    answer
}

/// A response for this user only: not stored.
fn once(mut answer: HttpResponseBuilder, html: String) -> HttpResponse {
    answer
        .insert_header((CONTENT_TYPE, HTML))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(html)
}

/// The user's languages, preferred first (RFC 9110, 12.5.4).
fn accepted_languages(request: &HttpRequest) -> impl Iterator<Item = String> + use<> {
    let ranked = AcceptLanguage::parse(request).map(|accepted| accepted.ranked());
    ranked
        .unwrap_or_default()
        .into_iter()
        .filter_map(|wish| match wish {
            Preference::Specific(tag) => Some(LanguageTag::into_string(tag)),
            Preference::Any => None,
        })
}

/// Caching of a file: one with a hash in its name for ever, others are revalidated.
async fn keep(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let refused = ApiError::MethodNotAllowed("GET, HEAD").error_response();
        return Ok(request.into_response(refused));
    }
    let hashed = is_hashed(request.path());
    let mut response = next.call(request).await?.map_into_boxed_body();
    let is_there = response.status().is_success() || response.status().is_redirection();
    if is_there && !response.headers().contains_key(CACHE_CONTROL) {
        let value = if hashed {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// Trunk names files `app-123456789abcdef0.js` and `app-123456789abcdef0_bg.wasm`: with 16
/// hexadecimal digits, less leading zeros.
fn is_hashed(path: &str) -> bool {
    let is_hash =
        |part: &str| part.len() >= 10 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    path.rsplit('/')
        .next()
        .is_some_and(|name| name.split(['-', '.', '_']).any(is_hash))
}

/// The hashes of the content of these elements, without duplicates.
fn hashes(documents: &[&str], name: &str) -> Vec<String> {
    let mut hashes = Vec::new();
    for content in documents.iter().flat_map(|html| inside(html, name)) {
        let hash = hash(content);
        if !hashes.contains(&hash) {
            hashes.push(hash);
        }
    }
    hashes
}

/// The content of inline `<name …>` elements, without those with `src` and without data
/// blocks, which no policy stops.
fn inside<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (start, end) = (format!("<{name}"), format!("</{name}>"));
    html.match_indices(&start)
        .filter_map(|(at, start)| {
            let (attributes, rest) = html[at + start.len()..].split_once('>')?;
            let (content, _) = rest.split_once(end.as_str())?;
            let is_inline = !attributes.contains("src=") && !attributes.contains("json");
            (is_inline && !content.is_empty()).then_some(content)
        })
        .collect::<Vec<_>>()
        .into_iter()
}

fn hash(content: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(content))
}

#[cfg(test)]
mod tests;
