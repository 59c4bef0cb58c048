//! `GET /api/openapi.json`, and `GET /api/docs`: the contract, and a page to read
//! and try it.
//!
//! The page is a document, a script and a style of our own origin and nothing
//! else, so that it works offline and under the policy of every other answer.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web::{Data, Path},
};

use crate::http::{
    openapi::{self, page},
    precompressed::Precompressed,
    problem::ApiError,
};

/// The contract and its page, made once: the same for everyone.
pub(super) struct Contract {
    document: Precompressed,
    page: Precompressed,
    files: Vec<(&'static str, Precompressed)>,
}

impl Contract {
    /// Makes them ready to be read.
    pub(super) fn new(is_sandbox: bool) -> Self {
        let document = openapi::document(is_sandbox);
        let json = serde_json::to_vec(&document).expect("the document is JSON");
        let html = page::HTML;
        let file = |file: &page::File| {
            let content = file.content.as_bytes().to_vec();
            (file.name, Precompressed::new(file.content_type, content))
        };
        Self {
            document: Precompressed::new("application/json", json),
            page: Precompressed::new("text/html; charset=utf-8", html.as_bytes().to_vec()),
            files: page::FILES.iter().map(file).collect(),
        }
    }
}

pub(super) async fn document(request: HttpRequest, contract: Data<Contract>) -> HttpResponse {
    answer(&contract.document, &request)
}

pub(super) async fn docs(request: HttpRequest, contract: Data<Contract>) -> HttpResponse {
    answer(&contract.page, &request)
}

pub(super) async fn file(
    request: HttpRequest,
    contract: Data<Contract>,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let mut files = contract.files.iter();
    let (_, file) = files
        .find(|(file, _)| *file == *name)
        .ok_or(ApiError::NotFound)?;
    Ok(answer(file, &request))
}

/// Kept, and asked for anew each time: another version may answer next.
fn answer(content: &Precompressed, request: &HttpRequest) -> HttpResponse {
    let mut answer = content.answer(request);
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}
