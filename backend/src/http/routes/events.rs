//! `GET /api/otp/sessions/{session_uuid}/events`: the session as it changes, in
//! server-sent events (the HTML standard).
//!
//! Each instance looks into the store for those who watch on it, so it does not
//! matter where a change comes from. A stream ends with the session, and after a
//! while in any case; browsers come back by themselves and say what they saw
//! last. Who has seen the end is answered 204, after which they do not.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

use super::session::{look, parse_id};
use crate::{
    http::{
        bulkhead::Bulkheads, connections::Serving, drain::Drain, problem::ApiError, state::AppState,
    },
    verification::{Caller, ClientKey, Refusal, Verification},
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
/// Streams that one address may have open. A household has several phones.
const MAX_STREAMS_PER_ADDRESS: usize = 20;
/// Streams that one IPv6 /48 may have open: a site has many subscribers, and one
/// subscriber may hold all of a site.
const MAX_STREAMS_PER_SITE: usize = 4 * MAX_STREAMS_PER_ADDRESS;
/// Streams of one session, wherever they are watched from.
const MAX_STREAMS_PER_SESSION: usize = 20;
/// Streams that an instance has open.
const MAX_STREAMS: usize = 4096;
/// When to come again where there are too many.
const FULL_WAIT: Duration = Duration::from_secs(30);

/// What streams are counted by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Group {
    All,
    Session(SessionId),
    /// An address, or a site of them.
    Network(ClientKey),
}

/// The streams that are open.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<Group, usize>>>);

impl Streams {
    /// A place among them, if there is one. Addresses are told apart where
    /// `limits_addresses` says so.
    fn enter(&self, caller: &Caller, id: SessionId, limits_addresses: bool) -> Option<Place> {
        let mut groups = vec![
            (Group::All, MAX_STREAMS),
            (Group::Session(id), MAX_STREAMS_PER_SESSION),
        ];
        if limits_addresses {
            groups.push((Group::Network(caller.key), MAX_STREAMS_PER_ADDRESS));
            let site = caller.site.map(Group::Network);
            groups.extend(site.map(|site| (site, MAX_STREAMS_PER_SITE)));
        }
        let mut open = self.open();
        let has_room =
            |(group, most): &(Group, usize)| open.get(group).copied().unwrap_or_default() < *most;
        if !groups.iter().all(has_room) {
            return None;
        }
        let groups: Vec<Group> = groups.into_iter().map(|(group, _)| group).collect();
        for group in &groups {
            *open.entry(*group).or_default() += 1;
        }
        Some(Place {
            streams: self.clone(),
            groups,
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Group, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Given back when the stream ends, however it does.
struct Place {
    streams: Streams,
    groups: Vec<Group>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        for group in &self.groups {
            if let Some(count) = open.get_mut(group) {
                *count -= 1;
                if *count == 0 {
                    open.remove(group);
                }
            }
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u128) -> SessionId {
        SessionId::from_random_bytes(number.to_be_bytes())
    }

    fn caller(address: &str) -> Caller {
        Caller::at(address.parse().unwrap())
    }

    #[test]
    fn neither_a_site_nor_a_session_nor_an_address_has_all_of_them() {
        let streams = Streams::default();
        let open = |addresses: &mut dyn Iterator<Item = String>, limits_addresses| {
            let sessions = (0..).map(session);
            let places = addresses
                .zip(sessions)
                .map_while(|(address, id)| streams.enter(&caller(&address), id, limits_addresses));
            places.collect::<Vec<_>>()
        };
        // Each /64 of a /48 has one stream, each of another session.
        let of_site = open(
            &mut (0..200).map(|it| format!("2001:db8:1:{it:x}::1")),
            true,
        );
        assert_eq!(of_site.len(), MAX_STREAMS_PER_SITE);
        let other_site = streams.enter(&caller("2001:db8:2::1"), session(9), true);
        assert!(other_site.is_some());
        let of_address = open(&mut (0..200).map(|_| "198.51.100.7".to_owned()), true);
        assert_eq!(of_address.len(), MAX_STREAMS_PER_ADDRESS);
        drop((of_site, other_site, of_address));
        assert!(streams.open().is_empty());

        // Where addresses are not told apart, sessions still are.
        let id = session(u128::MAX);
        let of_session: Vec<_> = (0..200)
            .map_while(|it| streams.enter(&caller(&format!("198.51.100.{it}")), id, false))
            .collect();
        assert_eq!(of_session.len(), MAX_STREAMS_PER_SESSION);
        let all = open(&mut (0..).map(|_| "198.51.100.7".to_owned()), false);
        assert_eq!(all.len() + of_session.len(), MAX_STREAMS);
    }
}
