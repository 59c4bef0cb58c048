//! `POST /api/otp/send`.

use actix_web::{HttpResponse, web::Data};
use countersign_shared::{
    self as shared,
    send::{SendRequest, SendResponse},
    session::{NextAction, SessionStatus},
};

use super::{
    body::JsonBody,
    once::{IdempotencyKey, Scope, Step, once},
};
use crate::{
    client_ip::Caller,
    clock::whole_seconds_up,
    config::Rules,
    draining::Drain,
    problem::ApiError,
    store::Session,
    verification::{Sent, Verification},
};

pub(super) async fn send(
    verification: Data<Verification>,
    drain: Data<Drain>,
    caller: Caller,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<SendRequest>,
) -> Result<HttpResponse, ApiError> {
    let kept_for = verification.rules().session_lifetime;
    let (asked, steps) = (request.clone(), verification.clone());
    let step: Step<_> = Box::pin(async move {
        let SendRequest {
            recipient,
            channel,
            locale,
            nonce,
        } = request;
        let sent = steps
            .send(&caller, &recipient, channel, locale, nonce)
            .await?;
        Ok(answer(&sent, steps.rules()))
    });
    let asked = (shared::send::PATH, &asked, kept_for);
    once(
        (&verification, &drain),
        Scope::Caller(&caller),
        key,
        asked,
        step,
    )
    .await
}

/// The answer to a send and to a resend.
pub(super) fn answer(sent: &Sent, rules: &Rules) -> SendResponse {
    let session = &sent.session;
    SendResponse {
        session_uuid: session.id,
        recipient: session.recipient.as_str().to_owned(),
        channel: session.last_channel(),
        otp_length: rules.otp_length,
        expires_at: humantime::format_rfc3339_seconds(session.expires_at).to_string(),
        expires_in: session.expires_in.as_secs(),
        resend_in: whole_seconds_up(sent.resend_in),
        checks_left: session.checks_left,
        next_actions: next_actions(session),
    }
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
