//! Error responses, and the only module that knows status codes.
//!
//! A handler's [`ApiError`] is attached to the response as a [`Problem`]; [`render`] adds
//! the request id and writes it. The framework's own errors, which have none, get one by
//! their status.

mod refusal;
mod words;

use std::{borrow::Cow, fmt, time::Duration};

use actix_web::{
    HttpMessage, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, StatusCode,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
        },
    },
    middleware::Next,
};
use countersign_shared::{
    ErrorCode, Problem,
    problem::CONTENT_TYPE as PROBLEM_JSON,
    session::NextAction::{self, Retry},
};

use countersign_store::StoreError;

use self::{
    refusal::refused,
    words::{advice_on, instead_of},
};
use crate::{logging::RequestId, verification::Refusal};
use countersign_platform::clock::whole_seconds_up;

/// `WWW-Authenticate` challenges (RFC 9110, 11.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// RFC 6750.
    Bearer,
    /// RFC 7617; sent only if Basic was tried, because browsers show a password dialog for
    /// it.
    Basic,
}

impl Challenge {
    const fn header(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer realm=\"countersign\"",
            Self::Basic => "Basic realm=\"countersign\"",
        }
    }
}

/// An error response.
#[derive(Clone, Copy, Debug)]
pub enum ApiError {
    /// A malformed body.
    InvalidBody,
    /// A missing or malformed field; the name is one of ours.
    InvalidField(&'static str),
    /// An unknown field; the name is from a list of ours.
    UnknownField(&'static str),
    /// The body is too large.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body is not declared as plain JSON.
    UnsupportedMediaType,
    /// A page of an origin that is not listed.
    OriginNotAllowed,
    /// A missing, wrong or revoked key.
    Unauthorized(Challenge),
    /// A page called with an application's key.
    KeyFromBrowser,
    /// A callback that is not signed by Plivo, or repeated.
    CallbackRejected,
    /// The body is not declared as a form.
    NoForm,
    /// No such path.
    NotFound,
    /// Method not allowed; the allowed ones.
    MethodNotAllowed(&'static str),
    /// A refused step.
    Refused(Refusal),
    /// The service is shutting down.
    Ending,
    /// An internal error.
    Internal,
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.problem().code.as_str())
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        if let Self::MethodNotAllowed(methods) = self {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(methods));
        }
        if let Self::Unauthorized(challenge) = self {
            let challenge = HeaderValue::from_static(challenge.header());
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(self.problem());
        response
    }
}

impl ApiError {
    /// The response's content.
    pub fn problem(&self) -> Problem {
        let field = |problem: Problem, name| Problem {
            field: Some(Cow::Borrowed(name)),
            ..problem
        };
        match *self {
            Self::InvalidBody => problem(
                400,
                ErrorCode::InvalidRequest,
                "Send one JSON object with the fields of this call, each once.",
                &[],
            ),
            Self::InvalidField(name) => field(
                problem(400, ErrorCode::InvalidRequest, advice_on(name), &[]),
                name,
            ),
            Self::UnknownField(name) => field(
                problem(400, ErrorCode::InvalidRequest, instead_of(name), &[]),
                name,
            ),
            Self::TooLarge => problem(
                413,
                ErrorCode::RequestTooLarge,
                "The request is larger than any request of this API can be.",
                &[],
            ),
            Self::TooSlow => problem(
                408,
                ErrorCode::RequestTimeout,
                "The request did not come whole in time. Send it again.",
                &[Retry],
            ),
            Self::UnsupportedMediaType => problem(
                415,
                ErrorCode::UnsupportedMediaType,
                "Send JSON with the header Content-Type: application/json.",
                &[],
            ),
            Self::Unauthorized(_) => problem(
                401,
                ErrorCode::Unauthorized,
                "This needs an application's key, and none that is known came with it.",
                &[],
            ),
            Self::KeyFromBrowser => problem(
                403,
                ErrorCode::KeyFromBrowser,
                "A page called with an application's key. Keys are for servers; replace this one.",
                &[],
            ),
            Self::CallbackRejected => problem(
                403,
                ErrorCode::CallbackRejected,
                "This is for Plivo only, signed, and once.",
                &[],
            ),
            Self::NoForm => problem(
                415,
                ErrorCode::UnsupportedMediaType,
                "Send a form with the header Content-Type: application/x-www-form-urlencoded.",
                &[],
            ),
            Self::OriginNotAllowed => problem(
                403,
                ErrorCode::OriginNotAllowed,
                "Pages of this site may not call. Ask the operator to list it in ALLOWED_ORIGINS.",
                &[],
            ),
            Self::NotFound => problem(404, ErrorCode::NotFound, "There is nothing here.", &[]),
            Self::MethodNotAllowed(_) => problem(
                405,
                ErrorCode::MethodNotAllowed,
                "Use one of the methods in the Allow header.",
                &[],
            ),
            Self::Ending => waiting(
                503,
                ErrorCode::TemporarilyUnavailable,
                "This instance is about to stop. Another one takes over.",
                Duration::from_secs(1),
            ),
            Self::Internal => problem(
                500,
                ErrorCode::InternalError,
                "Something went wrong here. Try again.",
                &[Retry],
            ),
            Self::Refused(refusal) => refused(refusal),
        }
    }
}

fn problem(
    status: u16,
    code: ErrorCode,
    detail: impl Into<Cow<'static, str>>,
    next_actions: &[NextAction],
) -> Problem {
    let detail = detail.into();
    Problem {
        r#type: format!("urn:countersign:problem:{}", code.as_str()),
        title: Cow::Borrowed(code.title()),
        status,
        message: detail.clone(),
        detail,
        code,
        request_id: None,
        retry_after: None,
        limit: None,
        verified: None,
        checks_left: None,
        field: None,
        next_actions: next_actions.to_vec(),
    }
}

fn waiting(
    status: u16,
    code: ErrorCode,
    detail: impl Into<Cow<'static, str>>,
    retry_after: Duration,
) -> Problem {
    Problem {
        // At least 1: a caller who waits that long must pass.
        retry_after: Some(whole_seconds_up(retry_after).max(1)),
        ..problem(status, code, detail, &[Retry])
    }
}

/// Maps the framework's own errors by status.
fn by_status(status: StatusCode) -> ApiError {
    match status.as_u16() {
        404 => ApiError::NotFound,
        405 => ApiError::MethodNotAllowed("GET, HEAD"),
        413 => ApiError::TooLarge,
        415 => ApiError::UnsupportedMediaType,
        400..=499 => ApiError::InvalidBody,
        _ => ApiError::Internal,
    }
}

/// An error page for people, which is sent unchanged.
pub struct ForPeople;

/// Writes all other errors as problem+json.
pub async fn render(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let mut response = next.call(request).await?;
    let status = response.status();
    let is_failure = status.is_client_error() || status.is_server_error();
    let for_people = response
        .response()
        .extensions()
        .get::<ForPeople>()
        .is_some();
    if !is_failure || for_people {
        return Ok(response.map_into_boxed_body());
    }
    let stated = response.response_mut().extensions_mut().remove::<Problem>();
    let mut written = match stated {
        Some(_) => HttpResponse::new(status),
        None => by_status(status).error_response(),
    };
    for (name, value) in response.headers() {
        if [ALLOW, VARY, WWW_AUTHENTICATE].contains(name)
            || name.as_str().starts_with("access-control-")
        {
            written.headers_mut().insert(name.clone(), value.clone());
        }
    }
    let generic = written.extensions_mut().remove::<Problem>();
    let mut problem = stated
        .or(generic)
        .unwrap_or_else(|| ApiError::Internal.problem());
    problem.request_id = response
        .request()
        .extensions()
        .get::<RequestId>()
        .map(ToString::to_string);
    *written.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(status);
    if matches!(problem.status, 408 | 413) {
        // The rest of this connection is not read.
        written
            .head_mut()
            .set_connection_type(ConnectionType::Close);
    }
    let headers = written.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = problem.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    // For the request's log line.
    written.extensions_mut().insert(problem.code);
    let body = serde_json::to_vec(&problem)?;
    Ok(response.into_response(written.set_body(BoxBody::new(body))))
}
