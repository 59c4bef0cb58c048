//! `POST /api/otp/verify`.

use std::time::{Duration, UNIX_EPOCH};

use actix_web::web::{Data, Json};
use countersign_shared::{
    self as shared, OneTimeCode,
    verify::{VerifyRequest, VerifyResponse},
};

use super::session::parse_id;
use crate::{
    http::{
        drain::Drain,
        extract::{body::JsonBody, idempotency_key::IdempotencyKey, requester::Client},
        openapi::{
            examples,
            failures::failures,
            groups::{APPLICATION, BODY, CALLER, DONE, END_USER, KEY, SESSION, STORE, UPSTREAM},
        },
        problem::ApiError,
        state::AppState,
        step::to_the_end,
    },
    verification::Refusal,
};

failures!(VerifyFailures: BODY, KEY, SESSION, OTP, END_USER, DONE, CALLER, APPLICATION, UPSTREAM, STORE);

/// What is wrong with a code.
const OTP: &[ApiError] = &[
    ApiError::InvalidField("otp"),
    ApiError::Refused(Refusal::OtpLength { expected: 6 }),
    ApiError::Refused(Refusal::OtpIncorrect { checks_left: 4 }),
    ApiError::Refused(Refusal::OtpIncorrect { checks_left: 0 }),
];

/// Check a code
///
/// The right code succeeds once. A wrong code uses up a check; a code of the wrong length does not.
#[utoipa::path(
    post,
    path = shared::verify::PATH,
    operation_id = "verify_otp",
    tag = "Verification",
    params(IdempotencyKey),
    request_body(content = VerifyRequest, examples(
        ("code" = (value = json!(examples::verify()))),
    )),
    responses(
        (
            status = 200,
            description = "The code was right. The proof is for your own server.",
            body = VerifyResponse,
            links(("introspect" = (
                operation_id = "introspect_proof",
                description = "Ask about the proof.",
                request_body = json!({"token": "$response.body#/proof"}),
            ))),
            examples(("verified" = (value = json!(examples::verified())))),
        ),
        VerifyFailures,
    ),
    security((), ("bearer" = []), ("basic" = [])),
)]
pub(super) async fn verify(
    state: Data<AppState>,
    drain: Data<Drain>,
    client: Client,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<VerifyRequest>,
) -> Result<Json<VerifyResponse>, ApiError> {
    let id = parse_id(&request.session_uuid)?;
    let otp = OneTimeCode::parse(&request.otp).map_err(|_| ApiError::InvalidField("otp"))?;
    let keyed = key.request(client.owner_of(id), shared::verify::PATH, &request)?;
    let requester = client.requester(request.end_user, false, state.is_sandbox)?;
    let step = async move {
        let verification = &state.verification;
        verification.check(&requester, id, &otp, keyed).await
    };
    let verified = to_the_end(&drain, Box::pin(step)).await??;
    let expires_at = UNIX_EPOCH + Duration::from_secs(verified.expires_at);
    Ok(Json(VerifyResponse {
        verified: true,
        message: "The phone number is verified.".to_owned(),
        recipient: verified.recipient,
        expires_at: humantime::format_rfc3339_seconds(expires_at).to_string(),
        proof: verified.proof,
    }))
}
