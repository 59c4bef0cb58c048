//! `POST /api/otp/send`.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use countersign_core::{Application, SessionRules};
use countersign_platform::clock::whole_seconds_up;
use countersign_shared::{
    self as shared, Channel,
    page::{self, PageResponse},
    send::{SendRequest, SendResponse},
    session::{NextAction, SessionStatus},
};

use crate::{
    http::{
        drain::Drain,
        extract::{body::JsonBody, idempotency_key::IdempotencyKey, requester::Client},
        middleware::cross_origin,
        openapi::{
            examples,
            failures::failures,
            groups::{APPLICATION, BODY, CALLER, CHANNEL, END_USER, KEY, NUMBER, STORE, UPSTREAM},
            schemas::SendAnswer,
        },
        page::embedding,
        problem::{
            ApiError::{self, InvalidField},
            Challenge,
        },
        state::AppState,
        step::to_the_end,
    },
    verification::{Requester, SendCommand, Sent, WayBack},
};

failures!(SendFailures: BODY, KEY, FIELDS, END_USER, CHANNEL, NUMBER, CALLER, APPLICATION, UPSTREAM, STORE);

/// What is wrong with a field of a send alone.
const FIELDS: &[ApiError] = &[
    InvalidField("recipient"),
    InvalidField("locale"),
    InvalidField("nonce"),
    InvalidField("purpose"),
    InvalidField("application"),
    InvalidField("return_to"),
    InvalidField("embed"),
];

/// Send a code
///
/// Starts a session and sends its first code. The number is used as given, except that a zero
/// after the calling code is dropped, as in `+44 (0)20 …`.
#[utoipa::path(
    post,
    path = shared::send::PATH,
    operation_id = "send_otp",
    tag = "Verification",
    params(IdempotencyKey),
    request_body(content = SendRequest, examples(
        ("at_least" = (value = json!(examples::send_at_least()))),
        ("with_everything" = (value = json!(examples::send_with_everything()))),
        ("a_page" = (value = json!(examples::send_a_page()))),
    )),
    responses(
        (
            status = 200,
            description = "A code is on its way; or with `page`, the address where the person asks for it.",
            body = SendAnswer,
            links(
                ("verify" = (
                    operation_id = "verify_otp",
                    description = "Check the code.",
                    request_body = json!({"session_uuid": "$response.body#/session_uuid"}),
                )),
                ("resend" = (
                    operation_id = "resend_otp",
                    description = "Send it once more.",
                    request_body = json!({"session_uuid": "$response.body#/session_uuid"}),
                )),
                ("session" = (
                    operation_id = "get_session",
                    description = "Look at the session.",
                    parameters(("session_uuid" = "$response.body#/session_uuid")),
                )),
            ),
            examples(
                ("sent" = (value = json!(examples::sent(Channel::Sms)))),
                ("a_page" = (value = json!(examples::page()))),
            ),
        ),
        SendFailures,
    ),
    security((), ("bearer" = []), ("basic" = [])),
)]
pub(super) async fn send(
    state: Data<AppState>,
    drain: Data<Drain>,
    client: Client,
    key: IdempotencyKey,
    http: HttpRequest,
    JsonBody(request): JsonBody<SendRequest>,
) -> Result<HttpResponse, ApiError> {
    let keyed = key.request(client.owner(), shared::send::PATH, &request)?;
    let named = request.application.as_deref();
    let application = application(&state, &client, named, &http)?;
    // Of a page the person's own browser says where they are.
    let begins = !request.page;
    let requester = client.requester(request.end_user, begins, state.is_sandbox)?;
    let page = request.page.then_some(WayBack {
        return_to: request.return_to,
        embed: request.embed,
        state: request.state,
    });
    let command = SendCommand {
        application,
        recipient: request.recipient,
        channel: request.channel,
        locale: request.locale,
        nonce: request.nonce,
        purpose: request.purpose,
    };
    if let Some(way_back) = page {
        let step = begin_page(state, requester, command, way_back);
        let begun = to_the_end(&drain, Box::pin(step)).await??;
        return Ok(HttpResponse::Ok().json(begun));
    }
    let steps = state.clone();
    let step = async move { steps.verification.send(&requester, command, keyed).await };
    let sent = to_the_end(&drain, Box::pin(step)).await??;
    Ok(HttpResponse::Ok().json(answer(&sent, state.verification.rules())))
}

/// Begins a page for the number. Where it leads back to is checked now, and once more when
/// it is shown.
async fn begin_page(
    state: Data<AppState>,
    requester: Requester,
    command: SendCommand,
    way_back: WayBack,
) -> Result<PageResponse, ApiError> {
    let Some(application) = &requester.application else {
        return Err(ApiError::Unauthorized(Challenge::Bearer));
    };
    embedding::check(application, &way_back, command.nonce.as_deref())
        .map_err(ApiError::InvalidField)?;
    let verification = &state.verification;
    let begun = verification
        .begin_page(&requester, command, way_back)
        .await?;
    Ok(PageResponse {
        page_url: format!("{}/?page={}", state.public_url, begun.id),
        expires_at: humantime::format_rfc3339_seconds(begun.until).to_string(),
        expires_in: page::LIFETIME.as_secs(),
    })
}

/// The application that a send is for. With a key it is the key's; a page of another
/// site calls for one that lists its origin; whoever names none means the first.
fn application(
    state: &AppState,
    client: &Client,
    named: Option<&str>,
    request: &HttpRequest,
) -> Result<Arc<Application>, ApiError> {
    let applications = state.applications.current();
    let wrong = ApiError::InvalidField("application");
    if let Some(own) = client.application() {
        let own = applications.get(own.id.as_str());
        let own = own.filter(|own| named.is_none_or(|named| named == own.id.as_str()));
        return own.cloned().ok_or(wrong);
    }
    let origin = cross_origin::other_site(request);
    let lists = |it: &&Arc<Application>| {
        let mut origins = it.origins.iter();
        origin.is_none_or(|origin| origins.any(|it| it == origin))
    };
    let found = match (named, origin) {
        (Some(id), _) => applications.get(id).ok_or(wrong)?,
        (None, Some(_)) => applications
            .iter()
            .find(lists)
            .unwrap_or(applications.first()),
        (None, None) => applications.first(),
    };
    if !lists(&found) {
        return Err(ApiError::OriginNotAllowed);
    }
    if !found.takes_strangers {
        return Err(ApiError::Unauthorized(Challenge::Bearer));
    }
    Ok(found.clone())
}

/// The answer to a send and to a resend.
pub(super) fn answer(sent: &Sent, rules: &SessionRules) -> SendResponse {
    SendResponse {
        session_uuid: sent.session_id,
        recipient: sent.recipient.as_str().to_owned(),
        channel: sent.channel,
        otp_length: rules.otp_length,
        expires_at: humantime::format_rfc3339_seconds(sent.expires_at).to_string(),
        expires_in: sent.expires_in.as_secs(),
        resend_in: whole_seconds_up(sent.resend_in),
        checks_left: sent.checks_left,
        next_actions: next_actions(SessionStatus::Pending),
    }
}

pub(super) fn next_actions(status: SessionStatus) -> Vec<NextAction> {
    match status {
        SessionStatus::Pending => vec![
            NextAction::Verify,
            NextAction::Resend,
            NextAction::ChangeRecipient,
        ],
        SessionStatus::ChecksExhausted => vec![NextAction::Send],
        SessionStatus::Verified => Vec::new(),
    }
}
