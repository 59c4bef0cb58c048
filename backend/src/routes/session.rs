//! `GET /api/otp/sessions/{session_uuid}`.

use actix_web::web::{Data, Json, Path};
use countersign_shared::{
    SessionId,
    session::{Attempt, AttemptStatus, NextAction, SessionResponse, SessionStatus},
};

use super::send::next_actions;
use crate::{
    bulkhead::Bulkheads,
    client_ip::Caller,
    clock::whole_seconds_up,
    problem::ApiError,
    verification::{Sent, Verification},
};

pub(super) async fn session(
    verification: Data<Verification>,
    bulkheads: Data<Bulkheads>,
    caller: Caller,
    path: Path<String>,
) -> Result<Json<SessionResponse>, ApiError> {
    let id = parse_id(&path)?;
    Ok(Json(seen((&verification, &bulkheads), &caller, id).await?))
}

/// The session as its holder may see it.
pub(super) async fn seen(
    (verification, bulkheads): (&Verification, &Bulkheads),
    caller: &Caller,
    id: SessionId,
) -> Result<SessionResponse, ApiError> {
    let _turn = bulkheads.reads.enter().await?;
    let Sent { session, resend_in } = verification.session(caller, id).await?;
    let attempts: Vec<Attempt> = verification
        .attempts(&session)
        .await?
        .into_iter()
        .zip(&session.deliveries)
        .map(|(attempt, delivery)| Attempt {
            channel: delivery.channel,
            status: attempt.status,
            reason: attempt.reason,
            requested_at: humantime::format_rfc3339_seconds(delivery.requested_at).to_string(),
        })
        .collect();
    let mut actions = next_actions(&session);
    let failed = attempts
        .last()
        .is_some_and(|attempt| attempt.status == AttemptStatus::Undelivered);
    if failed && session.status == SessionStatus::Pending {
        // Without a wait.
        actions.insert(0, NextAction::ChangeChannel);
    }
    Ok(SessionResponse {
        session_uuid: session.id,
        status: session.status,
        recipient: session.recipient.masked(),
        channel: session.last_channel(),
        attempts,
        otp_length: verification.rules().otp_length,
        expires_at: humantime::format_rfc3339_seconds(session.expires_at).to_string(),
        expires_in: session.expires_in.as_secs(),
        resend_in: whole_seconds_up(resend_in),
        checks_left: session.checks_left,
        next_actions: actions,
    })
}

pub(super) fn parse_id(text: &str) -> Result<SessionId, ApiError> {
    SessionId::parse(text).map_err(|_| ApiError::InvalidField("session_uuid"))
}
