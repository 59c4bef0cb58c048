//! `POST /api/otp/resend`.

use actix_web::web::{Data, Json};
use countersign_shared::{resend::ResendRequest, send::SendResponse};

use super::{body::JsonBody, send::sent, session::parse_id, to_the_end};
use crate::{client_ip::Caller, problem::ApiError, verification::Verification};

pub(super) async fn resend(
    verification: Data<Verification>,
    caller: Caller,
    JsonBody(request): JsonBody<ResendRequest>,
) -> Result<Json<SendResponse>, ApiError> {
    let id = parse_id(&request.session_uuid)?;
    let rules = verification.rules().clone();
    let session =
        to_the_end(async move { verification.resend(&caller, id, request.channel).await })
            .await??;
    Ok(Json(sent(&session, &rules)))
}
