//! `GET /api/config`.

use actix_web::{HttpResponse, web::Data};
use countersign_shared::config::ConfigResponse;

/// What clients are told, worked out once: the same for everyone.
pub struct Facts(pub ConfigResponse);

pub(super) async fn config(facts: Data<Facts>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "no-cache"))
        .json(&facts.0)
}
