//! Graceful shutdown: whether it has begun, and the requests in progress.

use std::sync::Arc;

use tokio::sync::watch;

/// The requests in progress and the state of the shutdown. One per application.
#[derive(Clone)]
pub struct Drain(Arc<Parts>);

struct Parts {
    has_begun: watch::Sender<bool>,
    under_way: watch::Sender<usize>,
}

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(Parts {
            has_begun: watch::Sender::new(false),
            under_way: watch::Sender::new(0),
        }))
    }
}

impl Drain {
    /// Begins the shutdown: the service is no longer ready, and closes each connection
    /// after its response.
    pub fn begin(&self) {
        self.0.has_begun.send_replace(true);
    }

    /// Whether the shutdown has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.has_begun.borrow()
    }

    /// Waits until the shutdown begins.
    pub async fn begun(&self) {
        let mut has_begun = self.0.has_begun.subscribe();
        has_begun.wait_for(|begun| *begun).await.ok();
    }

    /// Registers work that must not be cut off; it ends when the returned value is dropped.
    pub fn enter(&self) -> UnderWay {
        self.0.under_way.send_modify(|count| *count += 1);
        UnderWay(self.clone())
    }

    /// Waits until no work is in progress.
    pub async fn finished(&self) {
        let mut under_way = self.0.under_way.subscribe();
        under_way.wait_for(|count| *count == 0).await.ok();
    }
}

/// A request in progress, or a step that continues without its caller.
#[must_use = "it is under way as long as this lives"]
pub struct UnderWay(Drain);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.under_way.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn it_is_finished_when_the_last_one_has_left() {
        let drain = Drain::default();
        let (one, other) = (drain.enter(), drain.enter());
        assert!(drain.begun().now_or_never().is_none());
        drain.begin();
        drain.begun().await;
        drop(one);
        assert!(drain.finished().now_or_never().is_none());
        drop(other);
        drain.finished().await;
    }
}
