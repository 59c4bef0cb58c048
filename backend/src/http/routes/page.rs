//! `POST /api/otp/page`: the code of a page that a server began.

use actix_web::web::{Data, Json};
use countersign_shared::{self as shared, page::PageRequest, send::SendResponse};

use super::{send::answer, session::parse_id};
use crate::http::{
    drain::Drain,
    extract::{body::JsonBody, idempotency_key::IdempotencyKey, requester::Client},
    problem::ApiError,
    state::AppState,
    step::to_the_end,
};

pub(super) async fn page(
    state: Data<AppState>,
    drain: Data<Drain>,
    client: Client,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<PageRequest>,
) -> Result<Json<SendResponse>, ApiError> {
    let id = parse_id(&request.page).map_err(|_| ApiError::InvalidField("page"))?;
    let keyed = key.request(client.owner_of(id), shared::page::PATH, &request)?;
    let requester = client.requester(None, false, state.is_sandbox)?;
    let wishes = (request.channel, request.locale);
    let steps = state.clone();
    let step = async move {
        let verification = &steps.verification;
        verification.send_page(&requester, id, wishes, keyed).await
    };
    let sent = to_the_end(&drain, Box::pin(step)).await??;
    let mut answer = answer(&sent, state.verification.rules());
    // Whoever has the page's address need not know the number.
    answer.recipient = sent.recipient.masked();
    Ok(Json(answer))
}
