//! `Idempotency-Key`: a request that its caller repeats under one key is done
//! once and answered alike (the IETF draft on that header).

use std::{pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, dev::Payload, http::StatusCode, web::Data,
};
use countersign_shared::{Problem, SessionId};
use futures_util::future::{Ready, ready};
use serde::{Deserialize, Serialize};

use super::to_the_end;
use crate::{
    client_ip::Caller,
    draining::Drain,
    problem::ApiError,
    store::{KeyedRequest, Known},
    verification::{Refusal, Verification},
};

/// The header's name.
const HEADER: &str = "idempotency-key";
/// Short keys are guessed, and long ones are no keys.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=255;

/// The caller's key for this request, if there is one.
pub(super) struct IdempotencyKey(Option<String>);

impl FromRequest for IdempotencyKey {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut values = request.headers().get_all(HEADER);
        ready(match (values.next(), values.next()) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => value
                .to_str()
                .ok()
                // The draft writes it as a quoted string; most callers do not.
                .map(|text| text.trim_matches('"'))
                .filter(|key| LENGTH.contains(&key.len()))
                .filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic()))
                .map(|key| Self(Some(key.to_owned())))
                .ok_or(ApiError::InvalidField("Idempotency-Key")),
            (Some(_), Some(_)) => Err(ApiError::InvalidField("Idempotency-Key")),
        })
    }
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    /// To the letter; of a problem without its request id, which belongs to one
    /// request.
    body: String,
}

impl Kept {
    fn of<A: Serialize>(outcome: &Result<A, Refusal>) -> Option<Self> {
        match outcome {
            Err(refusal) if !refusal.had_effect() => None,
            Err(refusal) => {
                let problem = ApiError::from(*refusal).problem();
                Some(Self {
                    status: problem.status,
                    body: serde_json::to_string(&problem).ok()?,
                })
            }
            Ok(answer) => Some(Self {
                status: 200,
                body: serde_json::to_string(answer).ok()?,
            }),
        }
    }

    /// Once more.
    fn replay(text: &str) -> Option<HttpResponse> {
        let kept: Self = serde_json::from_str(text).ok()?;
        let status = StatusCode::from_u16(kept.status).ok()?;
        if status.is_success() {
            let mut response = HttpResponse::build(status);
            return Some(response.content_type("application/json").body(kept.body));
        }
        let problem: Problem = serde_json::from_str(&kept.body).ok()?;
        let mut response = HttpResponse::new(status);
        response.extensions_mut().insert(problem);
        Some(response)
    }
}

/// A step, apart from the futures around it: as a part of each it would be
/// copied from one into the next, kilobytes at a time.
pub(super) type Step<A> = Pin<Box<dyn Future<Output = Result<A, Refusal>> + Send>>;

/// Whose keys a call takes.
pub(super) enum Scope<'a> {
    /// The caller's, by his address: nothing else is known of him yet.
    Caller(&'a Caller),
    /// The session's, whose secret name the request carries: its holder's address
    /// changes with the network. And who asks.
    Session(SessionId, &'a Caller),
}

/// Takes a step once per key. Without a key it is simply taken. It runs to its
/// end also when the caller hangs up, so that a repetition finds the answer.
pub(super) async fn once<B: Serialize, A: Serialize + Send + 'static>(
    (verification, drain): (&Data<Verification>, &Drain),
    scope: Scope<'_>,
    IdempotencyKey(key): IdempotencyKey,
    (path, body, kept_for): (&str, &B, Duration),
    step: Step<A>,
) -> Result<HttpResponse, ApiError> {
    let Some(key) = key else {
        let answer = to_the_end(drain, step).await??;
        return Ok(HttpResponse::Ok().json(answer));
    };
    let (owner, guesser) = match scope {
        Scope::Caller(caller) => (caller.key.to_string(), None),
        Scope::Session(id, caller) => (id.to_string(), Some(caller)),
    };
    let request = KeyedRequest {
        name: format!("{owner}\n{path}\n{key}"),
        body: serde_json::to_string(body).map_err(|_| ApiError::Internal)?,
        kept_for,
    };
    match verification.begin(&request, guesser).await? {
        Known::New => {}
        Known::UnderWay => return Err(ApiError::RequestUnderWay),
        Known::Lost => return Err(Refusal::UpstreamTimeout.into()),
        Known::Mismatched | Known::Blocked => return Err(ApiError::IdempotencyKeyReused),
        Known::Answered(answer) => return Kept::replay(&answer).ok_or(ApiError::Internal),
    }
    let verification = verification.clone();
    let answer = to_the_end(drain, async move {
        let outcome = step.await;
        let kept = Kept::of(&outcome).and_then(|kept| serde_json::to_string(&kept).ok());
        // Where the store fails now, a repetition hears that the first one is
        // under way until that is forgotten: nothing is done twice.
        verification.finish(&request, kept).await.ok();
        outcome
    })
    .await??;
    Ok(HttpResponse::Ok().json(answer))
}
