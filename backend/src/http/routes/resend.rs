//! `POST /api/otp/resend`.

use actix_web::web::{Data, Json};
use countersign_shared::{self as shared, resend::ResendRequest, send::SendResponse};

use super::{send::answer, session::parse_id};
use crate::http::{
    drain::Drain,
    extract::{body::JsonBody, idempotency_key::IdempotencyKey, requester::Client},
    problem::ApiError,
    state::AppState,
    step::to_the_end,
};

pub(super) async fn resend(
    state: Data<AppState>,
    drain: Data<Drain>,
    client: Client,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<ResendRequest>,
) -> Result<Json<SendResponse>, ApiError> {
    let id = parse_id(&request.session_uuid)?;
    let keyed = key.request(client.owner_of(id), shared::resend::PATH, &request)?;
    let requester = client.requester(request.end_user, false, state.is_sandbox)?;
    let (channel, steps) = (request.channel, state.clone());
    let step = async move {
        let verification = &steps.verification;
        verification.resend(&requester, id, channel, keyed).await
    };
    let sent = to_the_end(&drain, Box::pin(step)).await??;
    Ok(Json(answer(&sent, state.verification.rules())))
}
