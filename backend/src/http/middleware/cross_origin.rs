//! Cross-origin calls.
//!
//! Pages of other origins may call only if they are listed (OWASP ASVS 5.0, 3.4.2 and
//! 3.5.1). A browser reports the origin of a call, which a page's script cannot change;
//! callers that are not browsers are not concerned.

use actix_web::{
    Error, HttpRequest, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::ORIGIN,
    middleware::Next,
    web::Data,
};

use crate::{
    http::{extract::presented::Presented, problem::ApiError},
    verification::ApplicationRegistry,
};

/// The origin of a cross-origin call; empty if it is opaque.
pub fn other_site(request: &HttpRequest) -> Option<&str> {
    let headers = request.headers();
    let site = headers.get("sec-fetch-site")?;
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    (site == "cross-site").then_some(origin.unwrap_or_default())
}

/// Refuses cross-origin calls, also those whose response the browser would only hide,
/// because a code would be sent all the same (Fetch Metadata). A call with an API key passes:
/// it is refused later as a key that leaked into a page.
pub async fn refuse_other_sites(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let has_leaked = matches!(Presented::of(&request), Presented::FromBrowser(_));
    if let Some(origin) = other_site(request.request()).filter(|_| !has_leaked) {
        let registry = request.app_data::<Data<ApplicationRegistry>>();
        if !registry.is_some_and(|it| it.current().allow_origin(origin)) {
            let refused = ApiError::OriginNotAllowed.error_response();
            return Ok(request.into_response(refused));
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
