//! `GET /api/openapi.json`, and `GET /api/docs`: the contract, and a page to read
//! and try it.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue},
    web::{Data, Path},
};

use crate::http::{
    docs::{FILES, PAGE, POLICY},
    openapi::{
        self,
        failures::failures,
        schemas::{DocsFileName, OpenApiDocument},
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

/// Read this document
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

/// Read and try it
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

/// Read a file of that page
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
    let file = files.find(|file| *file.name == *name);
    let file = file.ok_or(ApiError::NotFound)?;
    Ok(answer(file.packed(), &request))
}

/// Kept, and asked for anew each time: another version may answer next.
fn answer(content: &Precompressed, request: &HttpRequest) -> HttpResponse {
    let mut answer = content.answer(request);
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}
