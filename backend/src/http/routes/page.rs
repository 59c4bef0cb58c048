//! `POST /api/otp/page`: the code of a page that a server began.

use actix_web::web::{Data, Json};
use countersign_shared::{self as shared, Channel, page::PageRequest, send::SendResponse};

use super::{send::answer, session::parse_id};
use crate::http::{
    drain::Drain,
    extract::{body::JsonBody, idempotency_key::IdempotencyKey, requester::Client},
    openapi::{
        examples,
        failures::failures,
        groups::{APPLICATION, BODY, CALLER, CHANNEL, KEY, NUMBER, SESSION, STORE, UPSTREAM},
    },
    problem::ApiError,
    state::AppState,
    step::to_the_end,
};

failures!(PageFailures: BODY, KEY, FIELDS, &SESSION[1..], CHANNEL, NUMBER, CALLER, APPLICATION, UPSTREAM, STORE);

/// What is wrong with a field of it alone.
const FIELDS: &[ApiError] = &[
    ApiError::InvalidField("page"),
    ApiError::InvalidField("locale"),
];

/// Send a page's code
///
/// Called by our page when the user presses its button: sends the code of a page that an
/// application's server created with `page`. The number is masked.
#[utoipa::path(
    post,
    path = shared::page::PATH,
    operation_id = "send_page_otp",
    tag = "Page",
    params(IdempotencyKey),
    request_body(content = PageRequest, examples(
        ("pressed" = (value = json!(examples::page_pressed()))),
    )),
    responses(
        (
            status = 200,
            description = "A code is on its way.",
            body = SendResponse,
            links(("verify" = (
                operation_id = "verify_otp",
                description = "Check the code.",
                request_body = json!({"session_uuid": "$response.body#/session_uuid"}),
            ))),
            examples(("sent" = (value = json!(examples::sent(Channel::Sms))))),
        ),
        PageFailures,
    ),
    security((), ("bearer" = []), ("basic" = [])),
)]
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
