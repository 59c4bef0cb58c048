//! What a connection is doing: known to its stream, to the requests that come over
//! it, and to whoever looks for connections to close.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
    time::Duration,
};

use actix_web::{
    HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};
use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::Count;

/// What one connection does now, and since when.
pub(super) struct Activity {
    opened: Instant,
    /// Milliseconds from `opened` to when a byte went in or out last.
    moved: AtomicU64,
    /// How often bytes came in.
    reads: AtomicU32,
    /// Requests that were begun.
    requests: AtomicU32,
    /// What `reads` was when the last one was.
    reads_at_request: AtomicU32,
    /// Requests that are being worked on.
    serving: AtomicU32,
    is_closing: AtomicBool,
    stream: AtomicWaker,
    /// What it counts for its address, as long as it does.
    count: Mutex<Option<Count>>,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            moved: AtomicU64::new(0),
            reads: AtomicU32::new(0),
            requests: AtomicU32::new(0),
            reads_at_request: AtomicU32::new(0),
            serving: AtomicU32::new(0),
            is_closing: AtomicBool::new(false),
            stream: AtomicWaker::new(),
            count: Mutex::default(),
        }
    }

    /// From now on it counts for its address.
    pub(super) fn count(&self, count: Count) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) = Some(count);
    }

    /// It counts no more.
    pub(super) fn uncount(&self) {
        let count = self
            .count
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(count);
    }

    pub(super) fn has_read(&self) {
        self.reads.fetch_add(1, Relaxed);
        self.has_moved();
    }

    pub(super) fn has_moved(&self) {
        let milliseconds = self.opened.elapsed().as_millis();
        let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX);
        self.moved.store(milliseconds, Relaxed);
    }

    pub(super) fn moved_at(&self) -> Instant {
        self.opened + Duration::from_millis(self.moved.load(Relaxed))
    }

    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    pub(super) fn is_serving(&self) -> bool {
        self.serving.load(Relaxed) > 0
    }

    /// The stream is to fail when it is used next, which is now.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Relaxed);
        self.stream.wake();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Relaxed)
    }

    /// Who waits for the stream.
    pub(super) fn waits(&self, waker: &Waker) {
        self.stream.register(waker);
    }
}

/// A request that is being worked on, as long as this lives.
#[must_use = "it is being worked on as long as this lives"]
pub struct Serving {
    activity: Arc<Activity>,
    is_read_ahead: bool,
}

impl Serving {
    /// That request. Nothing where it came over no connection, as in a test.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.conn_data::<Arc<Activity>>().map(Self::begin)
    }

    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Relaxed);
        activity.serving.fetch_add(1, Relaxed);
        let reads = activity.reads.load(Relaxed);
        Self {
            is_read_ahead: activity.reads_at_request.swap(reads, Relaxed) == reads,
            activity: activity.clone(),
        }
    }

    /// Where it came in one piece with the one before, others have their turn first, or
    /// a connection would be served sixteen requests at a time.
    pub(super) async fn turn(&self) {
        if self.is_read_ahead {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.activity.has_moved();
        self.activity.serving.fetch_sub(1, Relaxed);
    }
}

/// An application's key came over the request's connection: it does not count for its
/// address any more.
pub fn vouch_for(request: &HttpRequest) {
    if let Some(activity) = request.conn_data::<Arc<Activity>>() {
        activity.uncount();
    }
}

/// Notes that a request is being worked on, up to the head of its answer.
pub async fn attend(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let serving = Serving::of(request.request());
    if let Some(serving) = &serving {
        serving.turn().await;
    }
    next.call(request).await
}
