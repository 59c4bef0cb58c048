//! The page at `/api/docs`: Swagger UI, from this program alone; and the documents below it.

pub(super) mod documents;

use std::{io::Read, sync::OnceLock};

use actix_web::web::Bytes;
use flate2::read::GzDecoder;

use super::precompressed::Precompressed;

/// The page itself. Its links are relative to `/api/`.
pub(super) static PAGE: DocsFile = DocsFile::plain(
    "",
    "text/html; charset=utf-8",
    include_bytes!("docs/page.html"),
);

/// The page's policy: its own files and calls of this API. Swagger UI draws its icons from
/// `data:` addresses.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// What the page loads. The build script takes Swagger UI's files out of their crate.
pub(super) static FILES: [DocsFile; 5] = [
    DocsFile::gzip(
        "swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz")),
    ),
    DocsFile::gzip(
        "swagger-ui.css",
        "text/css; charset=utf-8",
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz")),
    ),
    DocsFile::plain(
        "page.js",
        "text/javascript; charset=utf-8",
        include_bytes!("docs/page.js"),
    ),
    DocsFile::plain(
        "page.css",
        "text/css; charset=utf-8",
        include_bytes!("docs/page.css"),
    ),
    DocsFile::plain("icon.svg", "image/svg+xml", include_bytes!("docs/icon.svg")),
];

/// A file in this program.
pub(super) struct DocsFile {
    /// Its name below the page's path.
    pub(super) name: &'static str,
    /// Its media type.
    pub(super) content_type: &'static str,
    content: Content,
    /// Made when it is asked for first: most processes never are.
    packed: OnceLock<Precompressed>,
}

enum Content {
    Plain(&'static [u8]),
    Gzip(&'static [u8]),
}

impl DocsFile {
    const fn plain(name: &'static str, content_type: &'static str, content: &'static [u8]) -> Self {
        Self::new(name, content_type, Content::Plain(content))
    }

    const fn gzip(name: &'static str, content_type: &'static str, content: &'static [u8]) -> Self {
        Self::new(name, content_type, Content::Gzip(content))
    }

    const fn new(name: &'static str, content_type: &'static str, content: Content) -> Self {
        Self {
            name,
            content_type,
            content,
            packed: OnceLock::new(),
        }
    }

    /// The file in the encodings that browsers take.
    pub(super) fn packed(&self) -> &Precompressed {
        self.packed.get_or_init(|| match self.content {
            Content::Plain(content) => Precompressed::new(self.content_type, content.to_vec()),
            Content::Gzip(content) => {
                let mut plain = Vec::new();
                GzDecoder::new(content)
                    .read_to_end(&mut plain)
                    .expect("the build script took it from Swagger UI's crate");
                let gzip = Some(Bytes::from_static(content));
                Precompressed::packed(self.content_type, plain.into(), None, gzip)
            }
        })
    }
}
