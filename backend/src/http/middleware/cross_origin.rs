//! Which other sites' pages may call.
//!
//! None, unless they are listed (OWASP ASVS 5.0, 3.4.2 and 3.5.1). A browser says
//! where a call comes from, and nothing that runs in a page can change that; a
//! caller that is no browser is not concerned.

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

/// The origin of the page of another site that calls; empty where it has none to name.
pub fn other_site(request: &HttpRequest) -> Option<&str> {
    let headers = request.headers();
    let site = headers.get("sec-fetch-site")?;
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    (site == "cross-site").then_some(origin.unwrap_or_default())
}

/// Refuses what another site's page asks for, also where the browser would only
/// hide the answer: a code would be sent all the same (Fetch Metadata). A key that
/// came from a page is refused as one, further in.
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
