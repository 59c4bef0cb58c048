//! `GET /api/otp/sessions/{session_uuid}/events`: the session as it changes, in
//! server-sent events (the HTML standard).
//!
//! Each instance looks into the store for those who watch on it, so it does not
//! matter where a change comes from. A stream ends with the session, and after a
//! while in any case; browsers come back by themselves and say what they saw
//! last. Who has seen the end is answered 204, after which they do not.

mod streams;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::HeaderName,
    web::{Bytes, Data, Path},
};
use countersign_core::{Key, RefusalRule};
use countersign_shared::{
    SessionId,
    session::{SessionResponse, SessionStatus},
};
use futures_util::{StreamExt, stream};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};

use self::streams::Place;
pub(super) use self::streams::Streams;
use super::session::{look, parse_id};
use crate::{
    http::{
        bulkhead::Bulkheads,
        connections::Serving,
        drain::Drain,
        openapi::{
            examples,
            failures::failures,
            groups::{READER, SESSION, STORE},
            schemas::{LastEventId, SessionEvent},
        },
        paths,
        problem::ApiError,
        state::AppState,
    },
    verification::{Caller, Refusal, Verification},
};

/// Interval between looks for changes that other instances committed; those of this
/// instance wake a stream at once.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// How long a stream waits for further commits, to tell of them together.
const COALESCING_TIME: Duration = Duration::from_millis(50);
/// How often something is written, so that a caller who is gone is noticed.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a browser waits before it comes back, in milliseconds.
const RETRY: &str = "retry: 2000\n\n";
/// How long one stream lives.
const LIFE: Duration = Duration::from_mins(10);
/// When to come again where there are too many.
const FULL_WAIT: Duration = Duration::from_secs(30);

failures!(EventsFailures: SESSION, READER, STORE);

/// Watch a session
///
/// Server-sent events (HTML standard): one event at the start and one for each change, with a
/// comment every five seconds in between. The stream ends when the session is verified,
/// exhausted or expired, and after ten minutes; browsers reconnect by themselves.
#[utoipa::path(
    get,
    path = paths::EVENTS,
    operation_id = "watch_session",
    tag = "Form",
    params(
        ("session_uuid" = inline(SessionId), Path, description = "The session, as send named it."),
        LastEventId,
    ),
    responses(
        (
            status = 200,
            description = "The session now, and each change of it.",
            headers(("X-Accel-Buffering" = String, description = "Keeps a proxy from collecting.")),
            // Before OpenAPI 3.2 the schema of a stream is that of each event in it.
            body = SessionEvent,
            content_type = "text/event-stream",
            examples(("delivered" = (value = json!(examples::session_event())))),
        ),
        (status = 204, description = "`Last-Event-ID` is the end of the session: nothing more will come."),
        EventsFailures,
    ),
)]
pub(super) async fn events(
    state: Data<AppState>,
    (streams, bulkheads): (Data<Streams>, Data<Bulkheads>),
    drain: Data<Drain>,
    caller: Caller,
    path: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&path)?;
    let verification = &state.verification;
    // Before the first look, or a change between would be missed.
    let commits = verification.commits();
    // An unknown session is a problem, not a stream.
    let (view, first) = look((verification, &bulkheads), &caller, id).await?;
    let last = request.headers().get("last-event-id");
    let told = last
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if first.status != SessionStatus::Pending && told == version(&first) {
        return Ok(HttpResponse::NoContent().finish());
    }
    let place = streams.enter(&caller, id, verification.limits_strangers());
    let place = place.ok_or(Refusal::RateLimited {
        rule: RefusalRule::Streams,
        retry_after: FULL_WAIT,
    })?;
    let stream = Stream {
        session: id,
        rows: verification.rows_of(&view),
        commits,
        told: told.to_owned(),
        first: Some(first),
        is_over: false,
        started: Instant::now(),
        written: Instant::now(),
        place,
        serving: Serving::of(&request),
    };
    let retry = stream::iter([Ok(Bytes::from_static(RETRY.as_bytes()))]);
    let changes = stream::unfold(stream, move |stream| {
        let (state, bulkheads) = (state.clone(), bulkheads.clone());
        let drain = drain.clone();
        async move {
            tokio::select! {
                piece = stream.next((&state.verification, &bulkheads), &caller) => piece,
                // Browsers come back by themselves, to another instance.
                () = drain.begun() => None,
            }
        }
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // A proxy that collects would show it all at the end.
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(retry.chain(changes)))
}

struct Stream {
    session: SessionId,
    /// The rows whose commits may change what is told.
    rows: [Key; 2],
    commits: Receiver<Arc<[Key]>>,
    /// The id of what was told last.
    told: String,
    first: Option<SessionResponse>,
    is_over: bool,
    started: Instant,
    written: Instant,
    #[expect(dead_code, reason = "held as long as the stream")]
    place: Place,
    #[expect(dead_code, reason = "held as long as the stream")]
    serving: Option<Serving>,
}

impl Stream {
    /// The next piece that is written, once there is one.
    async fn next(
        mut self,
        parts: (&Verification, &Bulkheads),
        caller: &Caller,
    ) -> Option<(Result<Bytes, actix_web::Error>, Self)> {
        if self.is_over {
            return None;
        }
        loop {
            let session = if let Some(first) = self.first.take() {
                Some(first)
            } else {
                self.wait_for_change().await;
                match self.look(parts, caller).await {
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

impl Stream {
    /// Waits for a commit of this instance that concerns the session, or until it is time to
    /// look for those of others.
    async fn wait_for_change(&mut self) {
        let Self { rows, commits, .. } = self;
        let concerned = async {
            loop {
                match commits.recv().await {
                    Ok(written) if !written.iter().any(|key| rows.contains(key)) => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    // The store has ended; so does the service.
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        if tokio::time::timeout(LOOK_INTERVAL, concerned).await.is_ok() {
            // A check is two commits, and a callback seldom comes alone.
            tokio::time::sleep(COALESCING_TIME).await;
        }
    }

    async fn look(
        &mut self,
        (verification, bulkheads): (&Verification, &Bulkheads),
        caller: &Caller,
    ) -> Result<SessionResponse, ApiError> {
        let (view, seen) = look((verification, bulkheads), caller, self.session).await?;
        // A resend may have led to another session of Plivo's.
        self.rows = verification.rows_of(&view);
        Ok(seen)
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
