//! `POST /api/otp/resend`.

use actix_web::{HttpResponse, web::Data};
use countersign_shared::{self as shared, resend::ResendRequest};

use super::{
    body::JsonBody,
    once::{IdempotencyKey, Scope, Step, once},
    send::answer,
    session::parse_id,
};
use crate::{client_ip::Caller, draining::Drain, problem::ApiError, verification::Verification};

pub(super) async fn resend(
    verification: Data<Verification>,
    drain: Data<Drain>,
    caller: Caller,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<ResendRequest>,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&request.session_uuid)?;
    let (channel, steps) = (request.channel, verification.clone());
    let step: Step<_> = Box::pin(async move {
        let sent = steps.resend(&caller, id, channel).await?;
        Ok(answer(&sent, steps.rules()))
    });
    let kept_for = verification.rules().session_lifetime;
    let asked = (shared::resend::PATH, &request, kept_for);
    let scope = Scope::Session(id, &caller);
    once((&verification, &drain), scope, key, asked, step).await
}
