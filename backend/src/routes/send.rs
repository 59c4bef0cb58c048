//! `POST /api/otp/send`.

use actix_web::web::{Data, Json};
use countersign_shared::{
    send::{SendRequest, SendResponse},
    session::{NextAction, SessionStatus},
};

use super::{body::JsonBody, to_the_end};
use crate::{
    client_ip::Caller, clock::whole_seconds_up, config::Rules, problem::ApiError, store::Session,
    verification::Verification,
};

pub(super) async fn send(
    verification: Data<Verification>,
    caller: Caller,
    JsonBody(request): JsonBody<SendRequest>,
) -> Result<Json<SendResponse>, ApiError> {
    let rules = verification.rules().clone();
    let session = to_the_end(async move {
        verification
            .send(&caller, &request.recipient, request.channel, request.locale)
            .await
    })
    .await??;
    Ok(Json(sent(&session, &rules)))
}

/// The answer to a send and to a resend.
pub(super) fn sent(session: &Session, rules: &Rules) -> SendResponse {
    SendResponse {
        session_uuid: session.id,
        recipient: session.recipient.as_str().to_owned(),
        channel: last_channel(session),
        otp_length: rules.otp_length,
        expires_at: humantime::format_rfc3339_seconds(session.expires_at).to_string(),
        expires_in: session.expires_in.as_secs(),
        resend_in: whole_seconds_up(session.resend_in),
        checks_left: session.checks_left,
        next_actions: next_actions(session),
    }
}

pub(super) fn last_channel(session: &Session) -> countersign_shared::Channel {
    session
        .deliveries
        .last()
        .map(|delivery| delivery.channel)
        .unwrap_or_default()
}

pub(super) fn next_actions(session: &Session) -> Vec<NextAction> {
    match session.status {
        SessionStatus::Pending => vec![
            NextAction::Verify,
            NextAction::Resend,
            NextAction::ChangeRecipient,
        ],
        SessionStatus::ChecksExhausted => vec![NextAction::Send],
        SessionStatus::Verified => Vec::new(),
    }
}
