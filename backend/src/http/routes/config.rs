//! `GET /api/config`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web::Data,
};
use countersign_shared::config::ConfigResponse;

use crate::http::precompressed::Encoded;

/// What clients are told, worked out once: the same for everyone.
pub(super) struct Facts(Encoded);

impl Facts {
    /// Makes them ready to be told.
    pub(super) fn new(facts: &ConfigResponse) -> Self {
        let json = serde_json::to_vec(facts).expect("plain values are JSON");
        Self(Encoded::new("application/json", json))
    }
}

pub(super) async fn config(request: HttpRequest, facts: Data<Facts>) -> HttpResponse {
    let mut answer = facts.0.answer(&request);
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}
