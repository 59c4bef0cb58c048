//! `GET /api/otp/sessions/{session_uuid}/events`: the session as it changes, in
//! server-sent events (the HTML standard).
//!
//! Each instance looks into the store for those who watch on it, so it does not
//! matter where a change comes from. A stream ends with the session, and after a
//! while in any case; browsers come back by themselves and say what they saw
//! last.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::HeaderName,
    web::{Bytes, Data, Path},
};
use countersign_shared::session::{SessionResponse, SessionStatus};
use futures_util::stream;
use tokio::time::Instant;

use super::session::{parse_id, seen};
use crate::{
    client_ip::{Caller, ClientKey},
    draining::Drain,
    metrics::Rule,
    problem::ApiError,
    verification::{Refusal, Verification},
};

/// How often a stream looks for changes.
const LOOK: Duration = Duration::from_secs(1);
/// How often something is written, so that a caller who is gone is noticed.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long one stream lives.
const LIFE: Duration = Duration::from_mins(10);
/// Streams that one address may have open. A household has several phones.
const MOST_PER_ADDRESS: usize = 20;
/// Streams that an instance has open.
const MOST: usize = 4096;
/// When to come again where there are too many.
const FULL_WAIT: Duration = Duration::from_secs(30);

/// The streams that are open, by address.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<ClientKey, usize>>>);

impl Streams {
    /// A place among them, if there is one.
    fn enter(&self, caller: &Caller, most_per_address: usize) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= MOST {
            return None;
        }
        let of_caller = open.entry(caller.key).or_default();
        if *of_caller >= most_per_address {
            return None;
        }
        *of_caller += 1;
        Some(Place {
            streams: self.clone(),
            key: caller.key,
        })
    }
}

/// Given back when the stream ends, however it does.
struct Place {
    streams: Streams,
    key: ClientKey,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self
            .streams
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

pub(super) async fn events(
    verification: Data<Verification>,
    streams: Data<Streams>,
    drain: Data<Drain>,
    caller: Caller,
    path: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&path)?;
    // An unknown session is a problem, not a stream.
    let first = seen(&verification, &caller, id).await?;
    let limited = verification.limits_strangers();
    let most = if limited { MOST_PER_ADDRESS } else { MOST };
    let place = streams.enter(&caller, most).ok_or(Refusal::RateLimited {
        rule: Rule::StreamsPerAddress,
        retry_after: FULL_WAIT,
    })?;
    let last = request.headers().get("last-event-id");
    let told = last
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let state = Stream {
        told: told.to_owned(),
        first: Some(first),
        is_over: false,
        started: Instant::now(),
        written: Instant::now(),
        place,
    };
    let body = stream::unfold(state, move |state| {
        let verification = verification.clone();
        let drain = drain.clone();
        async move {
            tokio::select! {
                piece = state.next(&verification, &caller, id) => piece,
                // Browsers come back by themselves, to another instance.
                () = drain.begun() => None,
            }
        }
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // A proxy that collects would show it all at the end.
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(body))
}

struct Stream {
    /// The id of what was told last.
    told: String,
    first: Option<SessionResponse>,
    is_over: bool,
    started: Instant,
    written: Instant,
    #[expect(dead_code, reason = "held as long as the stream")]
    place: Place,
}

impl Stream {
    /// The next piece that is written, once there is one.
    async fn next(
        mut self,
        verification: &Verification,
        caller: &Caller,
        id: countersign_shared::SessionId,
    ) -> Option<(Result<Bytes, actix_web::Error>, Self)> {
        if self.is_over {
            return None;
        }
        loop {
            let session = if let Some(first) = self.first.take() {
                Some(first)
            } else {
                tokio::time::sleep(LOOK).await;
                match seen(verification, caller, id).await {
                    Ok(session) => Some(session),
                    // The store is away for a moment: what was told holds.
                    Err(ApiError::Refused(Refusal::TemporarilyUnavailable { .. })) => None,
                    // The session is over.
                    Err(_) => return None,
                }
            };
            self.is_over = self.started.elapsed() > LIFE
                || session
                    .as_ref()
                    .is_some_and(|session| session.status != SessionStatus::Pending);
            let piece = session.and_then(|session| {
                let version = version(&session);
                (version != self.told).then(|| {
                    let data = serde_json::to_string(&session).unwrap_or_default();
                    self.told.clone_from(&version);
                    format!("id: {version}\nevent: session\ndata: {data}\n\n")
                })
            });
            let beat = || (self.written.elapsed() >= HEARTBEAT).then(|| ":\n\n".to_owned());
            if let Some(piece) = piece.or_else(beat) {
                self.written = Instant::now();
                return Some((Ok(Bytes::from(piece)), self));
            }
            if self.is_over {
                return None;
            }
        }
    }
}

/// Names what a watcher has seen: everything but the times that pass by
/// themselves.
fn version(session: &SessionResponse) -> String {
    let mut hasher = DefaultHasher::new();
    let steady = (&session.attempts, session.status, session.checks_left);
    serde_json::to_string(&steady)
        .unwrap_or_default()
        .hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
