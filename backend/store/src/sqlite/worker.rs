//! A thread that owns a connection.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::oneshot;

use super::Error;

/// Maximum waiting jobs. The committer has one at a time; the rest are reads.
const MAX_WAITING: usize = 1024;

/// What the thread works on.
pub(super) trait Work: Send + 'static {
    /// Runs maintenance after a job is answered, or when it is due. Returns when it is
    /// next due.
    fn maintain(&mut self) -> Duration;
}

type Job<W> = Box<dyn FnOnce(&mut W) + Send>;

pub(super) struct Worker<W> {
    /// `None` only while it is being dropped.
    jobs: Option<SyncSender<Job<W>>>,
    thread: Option<JoinHandle<()>>,
}

impl<W: Work> Worker<W> {
    pub(super) fn start(name: &str, work: W) -> std::io::Result<Self> {
        let (jobs, received) = sync_channel(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(work, &received))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Runs a job in the thread, unless its caller is gone by then.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut W) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let job: Job<W> = Box::new(move |work| {
            if !reply.is_closed() {
                reply.send(job(work)).ok();
            }
        });
        let jobs = self.jobs.as_ref().ok_or(Error::Ended)?;
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Disconnected(_) => Error::Ended,
        })?;
        answer.await.unwrap_or(Err(Error::Ended))
    }
}

fn run<W: Work>(mut work: W, jobs: &Receiver<Job<W>>) {
    let mut next = work.maintain();
    loop {
        match jobs.recv_timeout(next) {
            Ok(job) => job(&mut work),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        next = work.maintain();
    }
}

impl<W> Drop for Worker<W> {
    /// Waits for the job in progress.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
