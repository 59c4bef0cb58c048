//! A caller's connection, with deadlines that the framework does not have: it
//! watches over the head of a connection's first request and over idleness after a
//! whole answer, and over nothing else.

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

/// How long the head of a request may take.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection waits for its next request: longer than the 60 seconds
/// of usual proxies, so that it is they who close, with no request on its way.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long nothing at all may happen on a connection with no request on its way.
const IDLE_TIMEOUT: Duration = Duration::from_secs(80);
/// How long an answer may wait for its caller to read on: longer than a tunnel.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// What he reads in that time at least: more than a drop now and then.
const MIN_READ: usize = 4096;
/// How often the framework may come by with nothing to do. It comes by without end
/// where more was read ahead than it takes.
const MAX_IDLE_POLLS: u32 = 4096;

/// A stream whose reads and writes end with an error at the deadline that applies.
pub struct Connection<S> {
    stream: S,
    activity: Arc<Activity>,
    /// Given back when it closes.
    _place: Place,
    /// Since when bytes of a request come in that has not begun.
    head: Option<Instant>,
    /// How many had begun when that was noted.
    requests: u32,
    /// Since when an answer waits for its caller, and how much he took meanwhile.
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

    /// Bytes came in.
    fn has_read(&mut self) {
        self.activity.has_read();
        self.idle_polls = 0;
        // The head of the first one is watched over by the framework, which answers.
        if !self.activity.is_serving() && self.activity.requests() > 0 {
            self.head.get_or_insert_with(Instant::now);
        }
    }

    /// The caller's side took bytes.
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

    /// Until when something has to happen.
    fn deadline(&self) -> Instant {
        let stall = self.stall.map(|(since, _)| since + WRITE_TIMEOUT);
        let (head, idle) = if self.activity.is_serving() {
            // Its own deadlines hold.
            (None, Instant::now() + IDLE_TIMEOUT)
        } else {
            // Who has an answer to read first need not go on with his next request.
            let head = self.head.filter(|_| stall.is_none());
            (head, self.activity.moved_at() + IDLE_TIMEOUT)
        };
        let head = head.map(|since| since + HEAD_TIMEOUT);
        [stall, head].into_iter().flatten().fold(idle, Instant::min)
    }

    /// Waits for the stream, as long as that may take.
    fn wait<T>(&mut self, context: &mut Context<'_>) -> Poll<Result<T>> {
        self.activity.waits(context.waker());
        self.look()?;
        loop {
            let deadline = self.deadline();
            // Where it is early it is set anew when it is over, not at each byte.
            if deadline < self.timer.deadline() || self.timer.is_elapsed() {
                self.timer.as_mut().reset(deadline);
            }
            ready!(self.timer.as_mut().poll(context));
            if self.deadline() <= Instant::now() {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
        }
    }

    /// Fails where the connection is to close.
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

    /// The framework flushes when all was taken.
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
