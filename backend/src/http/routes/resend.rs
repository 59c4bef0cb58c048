//! `POST /api/otp/resend`.

use actix_web::web::{Data, Json};
use countersign_shared::{self as shared, Channel, resend::ResendRequest, send::SendResponse};

use super::{send::answer, session::parse_id};
use crate::http::{
    drain::Drain,
    extract::{body::JsonBody, idempotency_key::IdempotencyKey, requester::Client},
    openapi::{
        examples,
        failures::failures,
        groups::{
            APPLICATION, BODY, CALLER, CHANNEL, DONE, END_USER, KEY, NUMBER, NUMBER_TYPE, SESSION,
            STORE, UPSTREAM,
        },
    },
    problem::ApiError,
    state::AppState,
    step::to_the_end,
};

failures!(ResendFailures: BODY, KEY, SESSION, END_USER, CHANNEL, &NUMBER[..2], &[NUMBER_TYPE], DONE, CALLER, APPLICATION, UPSTREAM, STORE);

/// Resend the code
///
/// Delivers the session's code again. A resend does not extend the session or reset the number
/// of checks.
#[utoipa::path(
    post,
    path = shared::resend::PATH,
    operation_id = "resend_otp",
    tag = "Verification",
    params(IdempotencyKey),
    request_body(content = ResendRequest, examples(
        ("again" = (value = json!(examples::resend(None)))),
        ("as_a_call" = (value = json!(examples::resend(Some(Channel::Voice))))),
    )),
    responses(
        (
            status = 200,
            description = "The code is on its way once more.",
            body = SendResponse,
            links(("verify" = (
                operation_id = "verify_otp",
                description = "Check the code.",
                request_body = json!({"session_uuid": "$response.body#/session_uuid"}),
            ))),
            examples(("sent" = (value = json!(examples::sent(Channel::Voice))))),
        ),
        ResendFailures,
    ),
    security((), ("bearer" = []), ("basic" = [])),
)]
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
