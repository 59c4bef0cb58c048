//! The built page's files.

pub mod embedding;
pub mod index;
mod operator_file;
pub mod source;

use std::{
    future::ready,
    io::{Error as IoError, ErrorKind},
    path::PathBuf,
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
use countersign_shared::page_locale;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

pub use self::{index::Looks, source::PageSource};
use self::{
    index::{HTML, Index},
    operator_file::OperatorFile,
    source::PageFiles,
};
use crate::http::page::embedding::{Hosts, Query, Way};
use crate::http::{
    middleware::security_headers::{FramedBy, Inline},
    problem::{ApiError, ForPeople},
};

/// Where the operator's style is read.
const THEME_PATH: &str = "/theme.css";
/// Where the operator's logo is read.
const LOGO_PATH: &str = "/brand-logo";
/// Where the page's files are read.
const FILES: &str = "/{file:.*}";

/// The page's files, and what is made of its HTML.
#[derive(Clone)]
pub struct SinglePageApp {
    files: Data<PageFiles>,
    theme: Option<OperatorFile>,
    logo: Option<OperatorFile>,
    inline: Inline,
    served: Data<Served>,
}

/// What answers a request for the page itself.
struct Served {
    index: Index,
    hosts: Hosts,
    default_locale: String,
}

/// What the operator makes of the page, as it is set.
#[derive(Clone, Debug, Default)]
pub struct PageSettings {
    /// Where it is.
    pub source: PageSource,
    /// The name people see.
    pub brand_name: String,
    /// True when nothing is really sent.
    pub is_sandbox: bool,
    /// A file of styles of the operator's own.
    pub theme: Option<PathBuf>,
    /// A file with the operator's logo.
    pub logo: Option<PathBuf>,
    /// Who may send people here.
    pub hosts: Hosts,
    /// The language where the reader's own is not there.
    pub default_locale: String,
}

impl SinglePageApp {
    /// Reads the page, which is there when it has an `index.html`.
    pub fn read(settings: PageSettings) -> std::io::Result<Self> {
        let files = settings.source.files()?;
        let index = files.get("/index.html");
        let index = index.ok_or_else(|| IoError::from(ErrorKind::NotFound))?;
        let html = str::from_utf8(index.plain())
            .map_err(IoError::other)?
            .to_owned();
        let looks = Looks {
            brand_name: settings.brand_name,
            is_sandbox: settings.is_sandbox,
            theme: settings.theme.is_some().then_some(THEME_PATH),
            logo: settings.logo.is_some().then_some(LOGO_PATH),
        };
        let index = Index::new(&html, &files, &looks);
        Ok(Self {
            inline: Inline {
                scripts: hashes(index.built(), "script"),
                styles: hashes(index.built(), "style"),
            },
            served: Data::new(Served {
                index,
                hosts: settings.hosts,
                default_locale: settings.default_locale,
            }),
            files: Data::new(files),
            theme: settings
                .theme
                .map(|path| OperatorFile::new(path, source::content_type(THEME_PATH))),
            logo: settings.logo.map(|path| {
                let content_type = source::content_type(&path.to_string_lossy());
                OperatorFile::new(path, content_type)
            }),
        })
    }

    /// The hashes of what stands inside the HTML.
    pub fn inline(&self) -> &Inline {
        &self.inline
    }

    /// Serves the files, each in the best encoding the browser takes.
    pub fn configure(&self, config: &mut ServiceConfig) {
        let mut scope = web::scope("")
            .app_data(self.served.clone())
            .app_data(self.files.clone());
        for path in ["/", "/index.html"] {
            scope = scope
                .route(path, web::get().to(page))
                .route(path, web::head().to(page));
        }
        for (path, file) in [(THEME_PATH, &self.theme), (LOGO_PATH, &self.logo)] {
            if let Some(file) = file.clone() {
                let read = move |request: HttpRequest| ready(file.answer(&request));
                scope = scope
                    .route(path, web::get().to(read.clone()))
                    .route(path, web::head().to(read));
            }
        }
        // Of routes that fit the first counts.
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

/// The page in the reader's language, for the application that the reader came
/// from.
async fn page(request: HttpRequest, served: Data<Served>) -> HttpResponse {
    let query = Query::parse(request.query_string());
    let asked = query.as_ref().ok().and_then(|query| query.locale.clone());
    let wishes: Vec<String> = asked
        .into_iter()
        .chain(accepted_languages(&request))
        .chain([served.default_locale.clone()])
        .collect();
    let locale = page_locale::negotiate(wishes.iter().map(String::as_str)).unwrap_or("en");

    let host = query.and_then(|query| served.hosts.read(&query));
    let mut answer = match host {
        Ok(None) => served.index.page(locale).answer(&request),
        Ok(Some(host)) => {
            let mut answer = once(HttpResponse::Ok(), served.index.hosted(locale, &host));
            if let Way::Embed(origin) = host.way {
                answer.extensions_mut().insert(FramedBy(origin));
            }
            answer
        }
        Err(embedding::Refused) => {
            let mut answer = once(HttpResponse::BadRequest(), served.index.refused(locale));
            answer.extensions_mut().insert(ForPeople);
            answer
        }
    };
    answer.headers_mut().insert(
        VARY,
        HeaderValue::from_static("accept-encoding, accept-language"),
    );
    answer
}

/// A page that is for this person only.
fn once(mut answer: HttpResponseBuilder, html: String) -> HttpResponse {
    answer
        .insert_header((CONTENT_TYPE, HTML))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(html)
}

/// The reader's languages, the preferred one first (RFC 9110, 12.5.4).
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

/// How long browsers keep a file: one with a hash in its name for ever, the
/// others until the server has a newer one.
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

/// Trunk names files `app-0123456789abcdef.js` and `app-0123456789abcdef_bg.wasm`.
fn is_hashed(path: &str) -> bool {
    let is_hash =
        |part: &str| part.len() >= 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    path.rsplit('/')
        .next()
        .is_some_and(|name| name.split(['-', '.', '_']).any(is_hash))
}

/// The hashes of what stands inside those elements, each once.
fn hashes(documents: &[String], name: &str) -> Vec<String> {
    let mut hashes = Vec::new();
    for content in documents.iter().flat_map(|html| inside(html, name)) {
        let hash = hash(content);
        if !hashes.contains(&hash) {
            hashes.push(hash);
        }
    }
    hashes
}

/// What stands between `<name …>` and `</name>` where no `src` is given. Data is no
/// script that a policy would stop.
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
mod tests {
    use actix_web::{
        App,
        http::header::{
            ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, ETAG, HeaderName, IF_NONE_MATCH,
        },
        test::{TestRequest, call_service, init_service, read_body},
    };

    use super::{source::CarriedFile, *};

    const CARRIED: &[CarriedFile] = &[
        CarriedFile {
            path: "/app-0123456789abcdef.js",
            plain: b"let plain;",
            brotli: Some(b"brotli"),
            gzip: None,
        },
        CarriedFile {
            path: "/index.html",
            plain: b"<!doctype html><html><title>x</title><h1>y</h1>",
            brotli: Some(b"not this"),
            gzip: None,
        },
        CarriedFile {
            path: "/documents/de/enter-phone.html",
            plain: b"<!doctype html><html><title>Ihre Nummer</title>",
            brotli: None,
            gzip: None,
        },
        CarriedFile {
            path: "/locales/de.json",
            plain: br#"{"phone-heading": "Ihre Nummer"}"#,
            brotli: None,
            gzip: None,
        },
    ];

    #[actix_web::test]
    async fn a_page_inside_the_program_is_served_like_one_in_a_directory() {
        let page = SinglePageApp::read(PageSettings {
            source: PageSource::Carried(CARRIED),
            brand_name: "Zebra".to_owned(),
            default_locale: "en".to_owned(),
            ..PageSettings::default()
        })
        .unwrap();
        let service = init_service(App::new().configure(|config| page.configure(config))).await;
        let get = async |path: &str, header: (HeaderName, &str)| {
            let request = TestRequest::get().uri(path).insert_header(header);
            call_service(&service, request.to_request()).await
        };

        let path = "/app-0123456789abcdef.js";
        let answer = get(path, (ACCEPT_ENCODING, "gzip, br")).await;
        for (name, value) in [
            (CONTENT_TYPE, "text/javascript; charset=utf-8"),
            (CONTENT_ENCODING, "br"),
            (CACHE_CONTROL, "public, max-age=31536000, immutable"),
            (VARY, "accept-encoding"),
        ] {
            assert_eq!(answer.headers().get(name).unwrap(), value);
        }
        assert_eq!(read_body(answer).await, "brotli");
        let answer = get(path, (ACCEPT_ENCODING, "gzip")).await;
        assert!(!answer.headers().contains_key(CONTENT_ENCODING));
        let tag = answer.headers().get(ETAG).unwrap();
        let tag = tag.to_str().unwrap().to_owned();
        assert_eq!(read_body(answer).await, "let plain;");
        assert_eq!(get(path, (IF_NONE_MATCH, &tag)).await.status(), 304);

        let request = TestRequest::default().method(Method::HEAD).uri(path);
        let answer = call_service(&service, request.to_request()).await;
        assert_eq!(answer.status(), 200);

        let answer = get("/", (ACCEPT_LANGUAGE, "de")).await;
        assert_eq!(answer.headers().get(CACHE_CONTROL).unwrap(), "no-cache");
        let html = read_body(answer).await;
        let html = str::from_utf8(&html).unwrap();
        assert!(html.contains("Ihre Nummer · Zebra"), "{html}");
        for (path, status) in [
            ("/index.html", 200),
            ("/locales/de.json", 200),
            ("/index.html.br", 404),
            ("/../Cargo.toml", 404),
            ("/locales", 404),
        ] {
            let answer = get(path, (ACCEPT_ENCODING, "identity")).await;
            assert_eq!(answer.status(), status, "{path}");
        }
        let answer = call_service(&service, TestRequest::post().uri(path).to_request()).await;
        assert_eq!(answer.status(), 405);
    }

    #[test]
    fn inline_scripts_are_found_and_linked_ones_are_not() {
        let html = "<script type=module>import x</script><script src=a.js></script><p><script>\ny\n</script><script type=\"application/json\">{}</script>";
        assert_eq!(
            inside(html, "script").collect::<Vec<_>>(),
            ["import x", "\ny\n"]
        );
    }

    #[test]
    fn the_hash_is_the_one_browsers_compute() {
        // The example of CSP level 3, section 8.
        assert_eq!(
            hash("doSomething();"),
            "RFWPLDbv2BY+rCkDzsE+0fr8ylGr2R2faWMhq4lfEQc="
        );
    }

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        assert!(is_hashed("/countersign-frontend-0123456789abcdef_bg.wasm"));
        assert!(is_hashed("/style-0123456789abcdef.css"));
        assert!(!is_hashed("/index.html"));
        assert!(!is_hashed("/locales/de.json"));
        assert!(!is_hashed("/"));
    }
}
