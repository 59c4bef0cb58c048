//! What browsers are told about every answer.
//!
//! The page runs its own WASM and talks to its own origin, and nothing else
//! (OWASP Secure Headers Project; CSP level 3 for `wasm-unsafe-eval`).

use actix_web::{
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
    middleware::Next,
    web::Data,
};

/// The content security policy, as this page's inline loader needs it.
#[derive(Clone)]
pub struct ContentSecurityPolicy(HeaderValue);

impl ContentSecurityPolicy {
    /// Allows inline scripts with these SHA-256 hashes, in base64, only.
    pub fn new(inline_scripts: &[String]) -> Self {
        let hashes: String = inline_scripts
            .iter()
            .map(|hash| format!(" 'sha256-{hash}'"))
            .collect();
        let policy = format!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{hashes}; \
             style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
             form-action 'self'; frame-ancestors 'none'"
        );
        Self(HeaderValue::from_str(&policy).expect("hashes in base64 are a header value"))
    }
}

/// Adds the headers to every answer. The API is never stored; the page's files
/// say for themselves how long they keep.
pub async fn add(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let policy = request
        .app_data::<Data<ContentSecurityPolicy>>()
        .map(|policy| policy.0.clone());
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    if let Some(policy) = policy {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}
