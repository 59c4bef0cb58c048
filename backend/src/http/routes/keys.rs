//! `GET /.well-known/jwks.json` (RFC 7517).

use actix_web::{
    HttpResponse,
    http::header::{CacheControl, CacheDirective},
    web::Data,
};

use crate::{proof::KEYS_KEPT, verification::Verification};

/// The public keys that proofs are checked with. During a rotation there are two.
pub(super) async fn keys(verification: Data<Verification>) -> HttpResponse {
    let kept = u32::try_from(KEYS_KEPT.as_secs()).unwrap_or_default();
    HttpResponse::Ok()
        .insert_header(CacheControl(vec![
            CacheDirective::Public,
            CacheDirective::MaxAge(kept),
        ]))
        .json(verification.public_keys())
}
