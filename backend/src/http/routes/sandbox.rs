//! `GET /sandbox/messages`: what the pretend phones received. There in sandbox
//! only.

use std::sync::Arc;

use actix_web::web::{Data, Json, Query};
use plivo_simulator::{Message, Simulator};
use serde::Deserialize;

use crate::http::{
    openapi::{examples, failures::failures, schemas::SandboxMessage},
    paths,
    problem::ApiError,
};

#[derive(Deserialize)]
pub(super) struct Filter {
    recipient: Option<String>,
}

failures!(MessagesFailures: &[ApiError::InvalidField("recipient")]);

/// List the messages on the pretend phones
///
/// Newest first.
// The filter compares digits only: a `+` that was not escaped arrives as a space.
#[utoipa::path(
    get,
    path = paths::SANDBOX_MESSAGES,
    operation_id = "list_sandbox_messages",
    tag = "Sandbox",
    params(("recipient" = Option<String>, Query, description = "Of this number only; its digits count.", example = "+14155550123")),
    responses(
        (
            status = 200,
            description = "The messages, newest first.",
            body = Vec<SandboxMessage>,
            content_type = "application/json",
            examples(("one" = (value = json!([examples::message()])))),
        ),
        MessagesFailures,
    ),
)]
pub(super) async fn messages(
    simulator: Option<Data<Arc<Simulator>>>,
    filter: Result<Query<Filter>, actix_web::Error>,
) -> Result<Json<Vec<Message>>, ApiError> {
    let simulator = simulator.ok_or(ApiError::NotFound)?;
    let filter = filter.map_err(|_| ApiError::InvalidField("recipient"))?;
    let digits = |text: &str| {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    let mut messages = simulator.messages();
    if let Some(recipient) = filter.recipient.as_deref().map(digits) {
        messages.retain(|message| digits(&message.recipient) == recipient);
    }
    Ok(Json(messages))
}
