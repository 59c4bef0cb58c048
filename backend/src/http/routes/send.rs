//! `POST /api/otp/send`.

use actix_web::web::{Data, Json};
use countersign_core::SessionRules;
use countersign_platform::clock::whole_seconds_up;
use countersign_shared::{
    self as shared,
    send::{SendRequest, SendResponse},
    session::{NextAction, SessionStatus},
};

use crate::{
    http::{
        drain::Drain,
        extract::{body::JsonBody, idempotency_key::IdempotencyKey},
        problem::ApiError,
        state::AppState,
        step::to_the_end,
    },
    verification::{Caller, SendCommand, Sent},
};

pub(super) async fn send(
    state: Data<AppState>,
    drain: Data<Drain>,
    caller: Caller,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<SendRequest>,
) -> Result<Json<SendResponse>, ApiError> {
    let keyed = key.request(caller.key, shared::send::PATH, &request)?;
    let command = SendCommand {
        recipient: request.recipient,
        channel: request.channel,
        locale: request.locale,
        nonce: request.nonce,
    };
    let steps = state.clone();
    let step = async move { steps.verification.send(&caller, command, keyed).await };
    let sent = to_the_end(&drain, Box::pin(step)).await??;
    Ok(Json(answer(&sent, state.verification.rules())))
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
