//! `GET /api/otp/sessions/{session_uuid}`.

use actix_web::web::{Data, Json, Path};
use countersign_platform::clock::whole_seconds_up;
use countersign_shared::{
    SessionId,
    session::{Attempt, AttemptStatus, NextAction, SessionResponse, SessionStatus},
};

use super::send::next_actions;
use crate::{
    http::{
        bulkhead::Bulkheads,
        openapi::{
            examples,
            failures::failures,
            groups::{READER, SESSION, STORE},
        },
        paths,
        problem::ApiError,
        state::AppState,
    },
    verification::{Caller, SessionView, Verification},
};

failures!(SessionFailures: SESSION, READER, STORE);

/// Get a session
///
/// The session as its holder sees it, for example after a page reload.
#[utoipa::path(
    get,
    path = paths::SESSION,
    operation_id = "get_session",
    tag = "Form",
    params(("session_uuid" = inline(SessionId), Path, description = "The session, as send named it.")),
    responses(
        (
            status = 200,
            description = "How it stands.",
            body = SessionResponse,
            examples(
                ("delivered" = (value = json!(examples::session_delivered()))),
                ("undelivered" = (value = json!(examples::session_undelivered()))),
            ),
        ),
        SessionFailures,
    ),
)]
pub(super) async fn session(
    state: Data<AppState>,
    bulkheads: Data<Bulkheads>,
    caller: Caller,
    path: Path<String>,
) -> Result<Json<SessionResponse>, ApiError> {
    let id = parse_id(&path)?;
    let (_, seen) = look((&state.verification, &bulkheads), &caller, id).await?;
    Ok(Json(seen))
}

/// Looks at the session, as one of few at once: reads never stand in the way of sends and
/// checks.
pub(super) async fn look(
    (verification, bulkheads): (&Verification, &Bulkheads),
    caller: &Caller,
    id: SessionId,
) -> Result<(SessionView, SessionResponse), ApiError> {
    let _turn = bulkheads.reads.enter().await?;
    let view = verification.view(id).await?;
    let seen = seen(verification, caller, &view).await?;
    Ok((view, seen))
}

/// The session as its holder may see it.
async fn seen(
    verification: &Verification,
    caller: &Caller,
    view: &SessionView,
) -> Result<SessionResponse, ApiError> {
    let session = &view.session;
    let resend_in = verification.resend_in(caller, view).await?;
    let attempts: Vec<Attempt> = verification
        .attempts(view)
        .await?
        .into_iter()
        .zip(&session.deliveries)
        .map(|(attempt, delivery)| Attempt {
            channel: delivery.channel,
            status: attempt.status,
            reason: attempt.reason,
            requested_at: humantime::format_rfc3339_seconds(delivery.requested_at.into())
                .to_string(),
        })
        .collect();
    let mut actions = next_actions(session.status);
    let failed = attempts
        .last()
        .is_some_and(|attempt| attempt.status == AttemptStatus::Undelivered);
    if failed && session.status == SessionStatus::Pending {
        // Without a wait.
        actions.insert(0, NextAction::ChangeChannel);
    }
    Ok(SessionResponse {
        session_uuid: view.id,
        status: session.status,
        recipient: view.contact.recipient.masked(),
        channel: session.last_channel(),
        attempts,
        otp_length: verification.rules().otp_length,
        expires_at: humantime::format_rfc3339_seconds(view.expires_at()).to_string(),
        expires_in: session.expires_in().as_secs(),
        resend_in: whole_seconds_up(resend_in),
        checks_left: session.checks_left,
        next_actions: actions,
    })
}

pub(super) fn parse_id(text: &str) -> Result<SessionId, ApiError> {
    SessionId::parse(text).map_err(|_| ApiError::InvalidField("session_uuid"))
}
