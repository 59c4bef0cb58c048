//! Security headers.
//!
//! The page runs its own WASM, connects to its own origin, and may do nothing else (OWASP
//! Secure Headers Project; CSP level 3 for `wasm-unsafe-eval`).

use actix_web::{
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
    middleware::Next,
    web::Data,
};

/// SHA-256 hashes of inline scripts and styles in base64, for the content security policy.
#[derive(Clone, Debug, Default)]
pub struct Inline {
    /// Hashes of scripts.
    pub scripts: Vec<String>,
    /// Hashes of styles.
    pub styles: Vec<String>,
}

/// The content security policy, as this page's inline script and style need it.
#[derive(Clone)]
pub struct ContentSecurityPolicy {
    /// The policy without `frame-ancestors`.
    policy: String,
    /// The policy of nearly every response: no framing.
    unframed: HeaderValue,
}

/// The origin that may embed this response, as an extension of the response.
pub struct FramedBy(pub String);

impl ContentSecurityPolicy {
    /// Allows inline scripts and styles with these SHA-256 hashes in base64, and no others.
    pub fn new(inline: &Inline) -> Self {
        let sources = |hashes: &[String]| -> String {
            hashes
                .iter()
                .map(|hash| format!(" 'sha256-{hash}'"))
                .collect()
        };
        let policy = format!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{}; style-src 'self'{}; \
             connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors",
            sources(&inline.scripts),
            sources(&inline.styles),
        );
        let unframed = HeaderValue::from_str(&format!("{policy} 'none'"));
        Self {
            policy,
            unframed: unframed.expect("hashes in base64 are a header value"),
        }
    }

    fn framed_by(&self, origin: &str) -> HeaderValue {
        HeaderValue::from_str(&format!("{} {origin}", self.policy))
            .unwrap_or_else(|_| self.unframed.clone())
    }
}

/// Adds the headers to every response. API responses are never stored; the page's files set
/// their own caching.
pub async fn add(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let policy = request.app_data::<Data<ContentSecurityPolicy>>().cloned();
    let mut response = next.call(request).await?;
    let framed_by = response
        .response_mut()
        .extensions_mut()
        .remove::<FramedBy>();
    let headers = response.headers_mut();
    // The page of the API's document has a policy of its own.
    if let Some(policy) = policy
        && !headers.contains_key(CONTENT_SECURITY_POLICY)
    {
        let policy = match &framed_by {
            Some(FramedBy(origin)) => policy.framed_by(origin),
            None => policy.unframed.clone(),
        };
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    if framed_by.is_none() {
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // A response that other origins may load sets its own.
    let resource_policy = HeaderName::from_static("cross-origin-resource-policy");
    if !headers.contains_key(&resource_policy) {
        headers.insert(resource_policy, HeaderValue::from_static("same-origin"));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}
