//! `GET /.well-known/jwks.json` (RFC 7517).

use actix_web::{
    HttpResponse,
    http::header::{CacheControl, CacheDirective},
    web::Data,
};

use countersign_shared as shared;

use crate::{
    http::{
        openapi::{examples, failures::failures, schemas::JsonWebKeySet},
        state::AppState,
    },
    proof::KEYS_KEPT,
};

failures!(KeysFailures:);

/// Get the public keys
///
/// The JSON Web Key Set to verify proofs with (RFC 7517). During a rotation it has two keys.
#[utoipa::path(
    get,
    path = shared::proof::KEYS_PATH,
    operation_id = "get_public_keys",
    tag = "Proofs",
    responses(
        (
            status = 200,
            description = "The keys, for five minutes at a time.",
            headers(("Cache-Control" = String, description = "How long they may be kept.")),
            body = JsonWebKeySet,
            examples(("one" = (value = json!(examples::keys())))),
        ),
        KeysFailures,
    ),
)]
pub(super) async fn keys(state: Data<AppState>) -> HttpResponse {
    let kept = u32::try_from(KEYS_KEPT.as_secs()).unwrap_or_default();
    HttpResponse::Ok()
        .insert_header(CacheControl(vec![
            CacheDirective::Public,
            CacheDirective::MaxAge(kept),
        ]))
        .json(state.proofs.public_keys())
}
