//! Activity of a connection: shared by its stream, its requests, and the search for idle
//! connections.

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

/// Current activity of one connection.
pub(super) struct Activity {
    opened: Instant,
    /// Milliseconds from `opened` to the last byte in or out.
    moved: AtomicU64,
    /// Number of reads that returned bytes.
    reads: AtomicU32,
    /// Number of requests begun.
    requests: AtomicU32,
    /// Value of `reads` when the last one began.
    reads_at_request: AtomicU32,
    /// Number of requests in progress.
    serving: AtomicU32,
    is_closing: AtomicBool,
    stream: AtomicWaker,
    /// Its count for its address, while it counts.
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

    /// Counts it for its address.
    pub(super) fn count(&self, count: Count) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) = Some(count);
    }

    /// Stops counting it for its address.
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

    /// Closes the connection: wakes its stream, which then fails.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Relaxed);
        self.stream.wake();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Relaxed)
    }

    /// Waker of the stream.
    pub(super) fn waits(&self, waker: &Waker) {
        self.stream.register(waker);
    }
}

/// A request in progress, until dropped.
#[must_use = "it is being worked on as long as this lives"]
pub struct Serving {
    activity: Arc<Activity>,
    is_read_ahead: bool,
}

impl Serving {
    /// Registers a request. None if it has no connection, as in a test.
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

    /// Yields if the request arrived in one read with the one before: otherwise one
    /// connection would have sixteen requests served in a row.
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

/// The connection presented an application's key: it no longer counts for its address.
pub fn vouch_for(request: &HttpRequest) {
    if let Some(activity) = request.conn_data::<Arc<Activity>>() {
        activity.uncount();
    }
}

/// Registers a request as in progress up to the head of its response.
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
