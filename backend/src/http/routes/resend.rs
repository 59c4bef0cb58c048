//! `POST /api/otp/resend`.

use actix_web::web::{Data, Json};
use countersign_shared::{self as shared, resend::ResendRequest, send::SendResponse};

use super::{send::answer, session::parse_id};
use crate::{
    http::{
        drain::Drain,
        extract::{body::JsonBody, idempotency_key::IdempotencyKey},
        problem::ApiError,
        state::AppState,
        step::to_the_end,
    },
    verification::Caller,
};

pub(super) async fn resend(
    state: Data<AppState>,
    drain: Data<Drain>,
    caller: Caller,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<ResendRequest>,
) -> Result<Json<SendResponse>, ApiError> {
    let id = parse_id(&request.session_uuid)?;
    // Whoever has the session's name may repeat it, from whatever network.
    let keyed = key.request(id, shared::resend::PATH, &request)?;
    let (channel, steps) = (request.channel, state.clone());
    let step = async move { steps.verification.resend(&caller, id, channel, keyed).await };
    let sent = to_the_end(&drain, Box::pin(step)).await??;
    Ok(Json(answer(&sent, state.verification.rules())))
}
