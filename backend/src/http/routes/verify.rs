//! `POST /api/otp/verify`.

use std::time::{Duration, UNIX_EPOCH};

use actix_web::web::{Data, Json};
use countersign_shared::{
    self as shared, OneTimeCode,
    verify::{VerifyRequest, VerifyResponse},
};

use super::session::parse_id;
use crate::http::{
    drain::Drain,
    extract::{body::JsonBody, idempotency_key::IdempotencyKey, requester::Client},
    problem::ApiError,
    state::AppState,
    step::to_the_end,
};

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
