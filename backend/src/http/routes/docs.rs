//! `GET /api/openapi.json`, and `GET /api/docs`: the contract, a page to read and try it, and
//! the documents as Markdown.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue},
    web::{Data, Path},
};

use crate::http::{
    docs::{
        FILES, PAGE, POLICY,
        documents::{Document, LLMS},
    },
    openapi::{
        self,
        failures::failures,
        schemas::{DocsFileName, DocsFolderName, OpenApiDocument},
    },
    paths,
    precompressed::Precompressed,
    problem::ApiError,
};

/// The contract, made once: the same for everyone.
pub(super) struct Contract(Precompressed);

impl Contract {
    /// Makes it ready to be read.
    pub(super) fn new(is_sandbox: bool) -> Self {
        let document = openapi::document(is_sandbox);
        let json = serde_json::to_vec(&document).expect("the document is JSON");
        Self(Precompressed::new("application/json", json))
    }
}

failures!(NoFailures:);
failures!(FileFailures: &[ApiError::NotFound]);

/// Get this document
#[utoipa::path(
    get,
    path = paths::OPENAPI,
    operation_id = "get_openapi",
    tag = "Service",
    responses(
        (
            status = 200,
            description = "OpenAPI 3.1.",
            body = OpenApiDocument,
            examples(("head" = (value = json!({"openapi": "3.1.0"})))),
        ),
        (status = 304, description = "The caller has it already."),
        NoFailures,
    ),
)]
pub(super) async fn document(request: HttpRequest, contract: Data<Contract>) -> HttpResponse {
    answer(&contract.0, &request)
}

/// Browse the API
#[utoipa::path(
    get,
    path = paths::DOCS,
    operation_id = "get_docs",
    tag = "Service",
    responses(
        (status = 200, description = "A page.", body = String, content_type = "text/html; charset=utf-8"),
        (status = 304, description = "The caller has it already."),
        NoFailures,
    ),
)]
pub(super) async fn docs(request: HttpRequest) -> HttpResponse {
    let mut page = answer(PAGE.packed(), &request);
    page.headers_mut()
        .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    page
}

/// Get a document, or a file of that page
///
/// The documents of the repository are Markdown: `README.md`, `api.md` and so on, which `llms.txt`
/// lists.
#[utoipa::path(
    get,
    path = paths::DOCS_FILE,
    operation_id = "get_docs_file",
    tag = "Service",
    params(("file" = inline(DocsFileName), Path)),
    responses(
        (
            status = 200,
            description = "The file.",
            content(
                (String = "text/javascript; charset=utf-8"),
                (String = "text/css; charset=utf-8"),
                (String = "image/svg+xml"),
                (String = "text/markdown; charset=utf-8"),
                (String = "text/plain; charset=utf-8"),
            ),
        ),
        (status = 304, description = "The caller has it already."),
        FileFailures,
    ),
)]
pub(super) async fn file(
    request: HttpRequest,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let mut files = FILES.iter();
    match files.find(|file| *file.name == *name) {
        Some(file) => Ok(answer(file.packed(), &request)),
        None => document_at(&name, &request),
    }
}

/// Get a document in a folder
///
/// `adr` has the decisions, `integrate` the ways to integrate.
#[utoipa::path(
    get,
    path = paths::DOCS_FILE_IN,
    operation_id = "get_docs_file_in",
    tag = "Service",
    params(("folder" = inline(DocsFolderName), Path), ("file" = String, Path)),
    responses(
        (status = 200, description = "The document.", body = String, content_type = "text/markdown; charset=utf-8"),
        (status = 304, description = "The caller has it already."),
        FileFailures,
    ),
)]
pub(super) async fn file_in(
    request: HttpRequest,
    place: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    document_at(&format!("{}/{}", place.0, place.1), &request)
}

/// List the documents
///
/// The documents, each with a one-line summary (llmstxt.org).
#[utoipa::path(
    get,
    path = paths::LLMS,
    operation_id = "get_llms_txt",
    tag = "Service",
    responses(
        (status = 200, description = "Links to the documents.", body = String, content_type = "text/plain; charset=utf-8"),
        (status = 304, description = "The caller has it already."),
        FileFailures,
    ),
)]
pub(super) async fn llms(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    document_at(LLMS, &request)
}

fn document_at(path: &str, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    let document = Document::find(path).ok_or(ApiError::NotFound)?;
    Ok(answer(document.packed(), request))
}

/// Kept, and asked for anew each time: another version may answer next.
fn answer(content: &Precompressed, request: &HttpRequest) -> HttpResponse {
    let mut answer = content.answer(request);
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}
