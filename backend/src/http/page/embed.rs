//! The custom element that embeds the page in an application's page.
//!
//! It is loaded by pages of other origins, so unlike everything else it is served with
//! CORS, which module scripts require.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, HeaderName, HeaderValue},
};

use crate::http::precompressed::Precompressed;

/// Path of the script.
pub(super) const SCRIPT_PATH: &str = "/embed/v1.js";
/// Path of its type declarations.
pub(super) const TYPES_PATH: &str = "/embed/v1.d.ts";

/// The script and its types.
#[derive(Clone)]
pub(super) struct Embed {
    script: Precompressed,
    types: Precompressed,
}

impl Embed {
    /// Compresses both.
    pub(super) fn new() -> Self {
        let read = |content_type, text: &str| Precompressed::new(content_type, text.into());
        Self {
            script: read(
                "text/javascript; charset=utf-8",
                include_str!("embed/v1.js"),
            ),
            types: read("text/plain; charset=utf-8", include_str!("embed/v1.d.ts")),
        }
    }

    pub(super) fn script(&self, request: &HttpRequest) -> HttpResponse {
        for_anybody(self.script.answer(request))
    }

    pub(super) fn types(&self, request: &HttpRequest) -> HttpResponse {
        for_anybody(self.types.answer(request))
    }
}

fn for_anybody(mut answer: HttpResponse) -> HttpResponse {
    let headers = answer.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
        // Cached for ten minutes, so that a fix arrives soon.
        (CACHE_CONTROL, "public, max-age=600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
