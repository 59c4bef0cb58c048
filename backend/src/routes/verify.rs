//! `POST /api/otp/verify`.

use actix_web::{HttpResponse, web::Data};
use countersign_shared::{
    self as shared, OneTimeCode,
    verify::{ANSWER_KEPT_FOR, VerifyRequest, VerifyResponse},
};

use super::{
    body::JsonBody,
    once::{IdempotencyKey, Scope, Step, once},
    session::parse_id,
};
use crate::{client_ip::Caller, draining::Drain, problem::ApiError, verification::Verification};

pub(super) async fn verify(
    verification: Data<Verification>,
    drain: Data<Drain>,
    caller: Caller,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<VerifyRequest>,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&request.session_uuid)?;
    let otp = OneTimeCode::parse(&request.otp).map_err(|_| ApiError::InvalidField("otp"))?;
    let steps = verification.clone();
    let step: Step<_> = Box::pin(async move {
        let verified = steps.check(&caller, id, &otp).await?;
        Ok(VerifyResponse {
            verified: true,
            message: "The phone number is verified.".to_owned(),
            recipient: verified.recipient.as_str().to_owned(),
            expires_at: humantime::format_rfc3339_seconds(verified.proof.expires_at).to_string(),
            proof: verified.proof.token,
        })
    });
    let asked = (shared::verify::PATH, &request, ANSWER_KEPT_FOR);
    let scope = Scope::Session(id, &caller);
    once((&verification, &drain), scope, key, asked, step).await
}
