//! `GET /healthz` and `GET /readyz`.

use actix_web::{HttpResponse, web::Data};
use serde_json::json;

use crate::{
    http::{drain::Drain, problem::ApiError, state::AppState},
    verification::Refusal,
};

/// The process runs. Touches nothing.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// The process can serve: the store answers. Plivo is not asked: its bad day
/// must not take every instance out of the load balancer.
/// Nor is it ready when it is about to end.
pub(super) async fn ready(
    state: Data<AppState>,
    drain: Data<Drain>,
) -> Result<HttpResponse, ApiError> {
    if drain.has_begun() {
        return Err(ApiError::Ending);
    }
    let ready = state.store.ready().await;
    ready.map_err(|_| Refusal::STORE_UNAVAILABLE)?;
    Ok(HttpResponse::Ok().json(json!({"status": "ready"})))
}
