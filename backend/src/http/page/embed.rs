//! The custom element that an application's page embeds ours with, by one line.
//!
//! It is for pages of other origins, so unlike everything else it says so: scripts that
//! are modules are fetched with CORS.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, HeaderName, HeaderValue},
};

use crate::http::precompressed::Precompressed;

/// Where the script is read.
pub(super) const SCRIPT_PATH: &str = "/embed/v1.js";
/// Where its types are read.
pub(super) const TYPES_PATH: &str = "/embed/v1.d.ts";

/// The script and its types.
#[derive(Clone)]
pub(super) struct Embed {
    script: Precompressed,
    types: Precompressed,
}

impl Embed {
    /// Makes them ready to be read.
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
        // A mistake in it is mended within ten minutes.
        (CACHE_CONTROL, "public, max-age=600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
