//! `GET /.well-known/jwks.json` (RFC 7517).

use actix_web::{
    HttpResponse,
    http::header::{CacheControl, CacheDirective},
    web::Data,
};

use crate::{http::state::AppState, proof::KEYS_KEPT};

/// The public keys that proofs are checked with. During a rotation there are two.
pub(super) async fn keys(state: Data<AppState>) -> HttpResponse {
    let kept = u32::try_from(KEYS_KEPT.as_secs()).unwrap_or_default();
    HttpResponse::Ok()
        .insert_header(CacheControl(vec![
            CacheDirective::Public,
            CacheDirective::MaxAge(kept),
        ]))
        .json(state.proofs.public_keys())
}
