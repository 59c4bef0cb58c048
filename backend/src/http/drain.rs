//! Graceful shutdown: whether it has begun, and what is still under way.

use std::sync::Arc;

use tokio::sync::watch;

/// What is under way, and whether the end has begun. One for each application.
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
    /// From now on the service is not ready, and closes each connection after its
    /// answer.
    pub fn begin(&self) {
        self.0.has_begun.send_replace(true);
    }

    /// Whether the end has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.has_begun.borrow()
    }

    /// Waits for it.
    pub async fn begun(&self) {
        let mut has_begun = self.0.has_begun.subscribe();
        has_begun.wait_for(|begun| *begun).await.ok();
    }

    /// Something begins that is not to be cut off; it ends with the answer.
    pub fn enter(&self) -> UnderWay {
        self.0.under_way.send_modify(|count| *count += 1);
        UnderWay(self.clone())
    }

    /// Waits until nothing is under way.
    pub async fn finished(&self) {
        let mut under_way = self.0.under_way.subscribe();
        under_way.wait_for(|count| *count == 0).await.ok();
    }
}

/// A request, or a step that goes on without its caller.
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
