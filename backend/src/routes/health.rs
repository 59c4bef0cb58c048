//! `GET /healthz` and `GET /readyz`.

use actix_web::{HttpResponse, web::Data};
use serde_json::json;

use crate::{problem::ApiError, verification::Verification};

/// The process runs. Touches nothing.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// The process can serve: the store answers. Plivo is not asked: its bad day
/// must not take every instance out of the load balancer.
pub(super) async fn ready(verification: Data<Verification>) -> Result<HttpResponse, ApiError> {
    verification.ready().await?;
    Ok(HttpResponse::Ok().json(json!({"status": "ready"})))
}
