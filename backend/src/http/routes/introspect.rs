//! `POST /api/proofs/introspect` (RFC 7662).

use actix_web::web::{Data, Json};
use countersign_shared::{self as shared, Purpose, proof::Introspection};

use crate::http::extract::{body::FormBody, requester::Client};
use crate::http::openapi::{
    examples,
    failures::failures,
    groups::{APPLICATION, CALLER, FORM, STORE, UPSTREAM},
    schemas::IntrospectRequest,
};
use crate::http::problem::Challenge;
use crate::http::step::to_the_end;
use crate::http::{bulkhead::Bulkheads, drain::Drain, problem::ApiError, state::AppState};
use crate::verification::Question;

failures!(IntrospectFailures: FORM, FIELDS, CALLER, APPLICATION, STORE, &UPSTREAM[1..]);

/// What is wrong with a field of it.
const FIELDS: &[ApiError] = &[
    ApiError::InvalidField("token"),
    ApiError::InvalidField("consume"),
    ApiError::InvalidField("purpose"),
];

/// Introspect a proof
///
/// Called by your server with its key (RFC 7662). A proof that was consumed, or belongs to
/// another application, is inactive. In a sandbox without keys no key is needed.
#[utoipa::path(
    post,
    path = shared::proof::INTROSPECT_PATH,
    operation_id = "introspect_proof",
    tag = "Verification",
    request_body(
        content = IntrospectRequest,
        content_type = "application/x-www-form-urlencoded",
        examples(
            ("ask" = (value = json!({"token": examples::PROOF}))),
            ("consume" = (value = json!({"token": examples::PROOF, "consume": true, "purpose": "sign_in"}))),
        ),
    ),
    responses(
        (
            status = 200,
            description = "What is known of it.",
            body = Introspection,
            examples(
                ("active" = (value = json!(examples::active()))),
                ("inactive" = (value = json!(examples::inactive()))),
            ),
        ),
        IntrospectFailures,
    ),
    security(("bearer" = []), ("basic" = [])),
)]
pub(super) async fn introspect(
    state: Data<AppState>,
    bulkheads: Data<Bulkheads>,
    drain: Data<Drain>,
    client: Client,
    form: FormBody,
) -> Result<Json<Introspection>, ApiError> {
    if client.application().is_none() && !state.introspection.is_open() {
        return Err(ApiError::Unauthorized(Challenge::Bearer));
    }
    let token = form
        .one("token")?
        .filter(|token| !token.is_empty())
        .ok_or(ApiError::InvalidField("token"))?
        .to_owned();
    let consume = match form.one("consume")? {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(ApiError::InvalidField("consume")),
    };
    let purpose = form.one("purpose")?.map(Purpose::parse);
    if purpose == Some(None) {
        return Err(ApiError::InvalidField("purpose"));
    }
    let question = Question {
        token,
        purpose: purpose.flatten(),
        consume,
    };
    let _turn = bulkheads.introspections.enter().await?;
    let step = async move {
        let introspection = &state.introspection;
        let application = client.application();
        introspection.introspect(application, &question).await
    };
    let claims = to_the_end(&drain, step).await??;
    Ok(Json(Introspection {
        active: claims.is_some(),
        claims,
    }))
}
