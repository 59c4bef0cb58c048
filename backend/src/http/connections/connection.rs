//! A client connection with deadlines that the framework lacks: it bounds only the head of
//! the first request, and idle time after a complete response.

use std::{
    io::{Error, ErrorKind, Result},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::{Place, activity::Activity};

/// Timeout for the head of a request.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Keep-alive timeout: longer than the 60 seconds of common proxies, so that they close
/// first, with no request in flight.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Timeout for a connection without any traffic and without a request in progress.
const IDLE_TIMEOUT: Duration = Duration::from_secs(80);
/// Timeout for a client that reads too slowly: long enough for a phone that loses its
/// network for a moment.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// Minimum bytes that a client must read within that timeout, so that trickling does not
/// count.
const MIN_READ: usize = 4096;
/// Maximum consecutive polls by the framework without progress. It polls without end if
/// more was read ahead than it processes.
const MAX_IDLE_POLLS: u32 = 4096;

/// A stream whose reads and writes fail once the current deadline has passed.
pub struct Connection<S> {
    stream: S,
    activity: Arc<Activity>,
    /// Slot of the connection, released when it closes.
    _place: Place,
    /// When the first bytes of a request arrived that has not begun.
    head: Option<Instant>,
    /// Number of requests begun at that time.
    requests: u32,
    /// Since when a response waits for its reader, and how many bytes were read meanwhile.
    stall: Option<(Instant, usize)>,
    idle_polls: u32,
    timer: Pin<Box<Sleep>>,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>, place: Place) -> Self {
        Self {
            stream,
            activity,
            _place: place,
            head: None,
            requests: 0,
            stall: None,
            idle_polls: 0,
            timer: Box::pin(tokio::time::sleep(IDLE_TIMEOUT)),
        }
    }

    pub(super) fn activity(&self) -> Arc<Activity> {
        self.activity.clone()
    }

    /// Bytes were received.
    fn has_read(&mut self) {
        self.activity.has_read();
        self.idle_polls = 0;
        // The framework bounds the head of the first request, and responds.
        if !self.activity.is_serving() && self.activity.requests() > 0 {
            self.head.get_or_insert_with(Instant::now);
        }
    }

    /// The client read bytes.
    fn has_written(&mut self, count: usize) {
        self.activity.has_moved();
        self.idle_polls = 0;
        if let Some((_, taken)) = &mut self.stall {
            *taken += count;
            if *taken >= MIN_READ {
                self.stall = None;
            }
        }
    }

    /// The current deadline.
    fn deadline(&self) -> Instant {
        let stall = self.stall.map(|(since, _)| since + WRITE_TIMEOUT);
        let (head, idle) = if self.activity.is_serving() {
            // A request in progress has its own deadlines.
            (None, Instant::now() + IDLE_TIMEOUT)
        } else {
            // A client that still has a response to read need not continue its next
            // request.
            let head = self.head.filter(|_| stall.is_none());
            (head, self.activity.moved_at() + IDLE_TIMEOUT)
        };
        let head = head.map(|since| since + HEAD_TIMEOUT);
        [stall, head].into_iter().flatten().fold(idle, Instant::min)
    }

    /// Waits for the stream until its deadline.
    fn wait<T>(&mut self, context: &mut Context<'_>) -> Poll<Result<T>> {
        self.activity.waits(context.waker());
        self.look()?;
        loop {
            let deadline = self.deadline();
            // The timer is reset when it fires early, not at each byte.
            if deadline < self.timer.deadline() || self.timer.is_elapsed() {
                self.timer.as_mut().reset(deadline);
            }
            ready!(self.timer.as_mut().poll(context));
            if self.deadline() <= Instant::now() {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
        }
    }

    /// Fails if the connection is to be closed.
    fn look(&mut self) -> Result<()> {
        self.idle_polls += 1;
        if self.activity.is_closing() || self.idle_polls > MAX_IDLE_POLLS {
            return Err(Error::from(ErrorKind::ConnectionAborted));
        }
        let requests = self.activity.requests();
        if requests != self.requests {
            self.requests = requests;
            self.head = None;
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Pending => this.wait(context),
            Poll::Ready(read) => {
                if buffer.filled().len() > before {
                    this.has_read();
                }
                Poll::Ready(read)
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write(context, bytes) {
            Poll::Pending => {
                this.stall.get_or_insert_with(|| (Instant::now(), 0));
                this.wait(context)
            }
            Poll::Ready(written) => {
                if let Ok(count) = written {
                    this.has_written(count);
                }
                Poll::Ready(written)
            }
        }
    }

    /// The framework flushes once everything was written.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        this.stall = None;
        this.look()?;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
