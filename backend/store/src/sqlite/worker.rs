//! A thread that has a connection for itself.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::oneshot;

use super::Error;

/// Jobs that may wait. The committer has one at a time; the rest are reads.
const MAX_WAITING: usize = 1024;

/// What works in the thread.
pub(super) trait Work: Send + 'static {
    /// What is to be done once a job is answered, or the time has come. Answers
    /// when that is next, unless a job comes before.
    fn maintain(&mut self) -> Duration;
}

type Job<W> = Box<dyn FnOnce(&mut W) + Send>;

pub(super) struct Worker<W> {
    /// None only while it is being dropped.
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

    /// Does a job in the thread, unless nobody waits for it by then.
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
    /// Waits for what was begun.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
