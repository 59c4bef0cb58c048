//! `POST /api/otp/verify`.

use actix_web::web::{Data, Json};
use countersign_shared::{
    OneTimeCode,
    verify::{VerifyRequest, VerifyResponse},
};

use super::{body::JsonBody, session::parse_id, to_the_end};
use crate::{client_ip::Caller, problem::ApiError, verification::Verification};

pub(super) async fn verify(
    verification: Data<Verification>,
    caller: Caller,
    JsonBody(request): JsonBody<VerifyRequest>,
) -> Result<Json<VerifyResponse>, ApiError> {
    let id = parse_id(&request.session_uuid)?;
    let otp = OneTimeCode::parse(&request.otp).map_err(|_| ApiError::InvalidField("otp"))?;
    let session = to_the_end(async move { verification.check(&caller, id, &otp).await }).await??;
    Ok(Json(VerifyResponse {
        verified: true,
        message: "The phone number is verified.".to_owned(),
        recipient: session.recipient.as_str().to_owned(),
    }))
}
