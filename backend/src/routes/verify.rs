//! `POST /api/otp/verify`.

use std::time::Duration;

use actix_web::{HttpResponse, web::Data};
use countersign_shared::{
    self as shared, OneTimeCode,
    verify::{VerifyRequest, VerifyResponse},
};

use super::{
    body::JsonBody,
    once::{IdempotencyKey, Step, once},
    session::parse_id,
};
use crate::{client_ip::Caller, draining::Drain, problem::ApiError, verification::Verification};

/// How long a lost answer can be fetched again. Long enough for a retry, too
/// short for the code to be of use once more.
const KEPT_FOR: Duration = Duration::from_mins(1);

pub(super) async fn verify(
    verification: Data<Verification>,
    drain: Data<Drain>,
    caller: Caller,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<VerifyRequest>,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&request.session_uuid)?;
    let otp = OneTimeCode::parse(&request.otp).map_err(|_| ApiError::InvalidField("otp"))?;
    verification.fits(&otp)?;
    key.of_session(&verification, (shared::verify::PATH, id))
        .await?;
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
    let asked = (shared::verify::PATH, &request, KEPT_FOR);
    once((&verification, &drain), &caller, key, asked, step).await
}
