//! The built page's files.

use std::path::{Path, PathBuf};

use actix_files::Files;
use actix_web::{
    Error, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{CACHE_CONTROL, HeaderValue},
    },
    middleware::{Next, from_fn},
    web::{self, ServiceConfig},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use crate::problem::ApiError;

/// The page's directory, and the hashes of the scripts inside its HTML.
#[derive(Clone, Debug)]
pub struct SinglePageApp {
    directory: PathBuf,
    inline_scripts: Vec<String>,
}

impl SinglePageApp {
    /// Reads the page, which is there when it has an `index.html`.
    pub fn read(directory: &Path) -> std::io::Result<Self> {
        let html = std::fs::read_to_string(directory.join("index.html"))?;
        Ok(Self {
            directory: directory.to_owned(),
            inline_scripts: inline_scripts(&html).map(hash).collect(),
        })
    }

    /// SHA-256 of each inline script, in base64, for the content security
    /// policy.
    pub fn inline_scripts(&self) -> &[String] {
        &self.inline_scripts
    }

    /// Serves the files, each in the best encoding the browser takes.
    pub fn configure(&self, config: &mut ServiceConfig) {
        let files = Files::new("/", &self.directory)
            .index_file("index.html")
            .prefer_utf8(true)
            .try_compressed();
        config.service(web::scope("").wrap(from_fn(keep)).service(files));
    }
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
    if response.status().is_success() || response.status().is_redirection() {
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

/// Trunk names files `style-0123456789abcdef.css` and `app-0123456789abcdef_bg.wasm`.
fn is_hashed(path: &str) -> bool {
    let is_hash =
        |part: &str| part.len() >= 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    path.rsplit('/')
        .next()
        .is_some_and(|name| name.split(['-', '.', '_']).any(is_hash))
}

/// What stands between `<script …>` and `</script>` where no `src` is given.
fn inline_scripts(html: &str) -> impl Iterator<Item = &str> {
    html.split("<script").skip(1).filter_map(|after| {
        let (attributes, rest) = after.split_once('>')?;
        let (script, _) = rest.split_once("</script>")?;
        (!attributes.contains("src=") && !script.is_empty()).then_some(script)
    })
}

fn hash(script: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_scripts_are_found_and_linked_ones_are_not() {
        let html = "<script type=module>import x</script><script src=a.js></script><p><script>\ny\n</script>";
        assert_eq!(
            inline_scripts(html).collect::<Vec<_>>(),
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
        assert!(!is_hashed("/"));
    }
}
