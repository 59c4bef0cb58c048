//! Which other sites' pages may call.
//!
//! None, unless they are listed (OWASP ASVS 5.0, 3.4.2 and 3.5.1). A browser says
//! where a call comes from, and nothing that runs in a page can change that; a
//! caller that is no browser is not concerned.

use actix_web::{
    Error, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use crate::http::{allowed_origins::AllowedOrigins, problem::ApiError};

/// Refuses what another site's page asks for, also where the browser would only
/// hide the answer: a code would be sent all the same (Fetch Metadata).
pub async fn refuse_other_sites(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let site = request.headers().get("sec-fetch-site");
    if site.is_some_and(|site| site == "cross-site") {
        let allowed = request.app_data::<Data<AllowedOrigins>>();
        if !allowed.is_some_and(|allowed| allowed.include(&request)) {
            let refused = ApiError::OriginNotAllowed.error_response();
            return Ok(request.into_response(refused));
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
