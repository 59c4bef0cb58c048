//! Headers that listed origins may send.
//!
//! All but those with credentials: tracing tools add headers of their own to every request
//! of a page (`traceparent`, `baggage`, `sentry-trace`), and the service ignores headers
//! that it does not know.

use actix_web::{
    Error, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{ACCESS_CONTROL_REQUEST_HEADERS, AUTHORIZATION, COOKIE, HeaderMap, HeaderValue},
    },
    middleware::Next,
};

use crate::http::problem::ApiError;

/// Maximum header names in one preflight.
const MAX_NAMES: usize = 32;
/// Maximum length of the list in bytes.
const MAX_BYTES: usize = 1024;

/// Removes the headers that no page may send from a preflight; the rest is allowed.
pub async fn narrow(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method() == Method::OPTIONS {
        let Some(names) = requested(request.headers()) else {
            let refused = ApiError::InvalidField("Access-Control-Request-Headers");
            return Ok(request.into_response(refused.error_response()));
        };
        let headers = request.headers_mut();
        headers.remove(ACCESS_CONTROL_REQUEST_HEADERS);
        if let Ok(names) = HeaderValue::from_str(&names.join(", "))
            && !names.is_empty()
        {
            headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, names);
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// The allowed names; none if they are too many, too long or malformed.
fn requested(headers: &HeaderMap) -> Option<Vec<String>> {
    let lines: Vec<&str> = headers
        .get_all(ACCESS_CONTROL_REQUEST_HEADERS)
        .map(|line| line.to_str().ok())
        .collect::<Option<_>>()?;
    let names: Vec<&str> = lines
        .iter()
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let is_short = lines.iter().map(|line| line.len()).sum::<usize>() <= MAX_BYTES;
    let fits = names.len() <= MAX_NAMES && is_short && names.iter().all(|name| is_token(name));
    let carries_rights = |name: &str| {
        [AUTHORIZATION, COOKIE]
            .iter()
            .any(|header| name.eq_ignore_ascii_case(header.as_str()))
    };
    fits.then(|| {
        let allowed = names.into_iter().filter(|name| !carries_rights(name));
        allowed.map(str::to_ascii_lowercase).collect()
    })
}

/// A token of RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    text.bytes().all(is_tchar)
}
