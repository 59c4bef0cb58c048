//! The id that all log lines of one request share.

use std::fmt;

/// 16 random hexadecimal digits.
#[derive(Clone, Copy)]
pub struct RequestId([u8; 8]);

tokio::task_local! {
    static CURRENT: RequestId;
}

impl RequestId {
    /// That of the request that is being worked on, for the log.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|id| *id).ok()
    }

    /// Does work for this request: its log lines carry the id.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }

    /// A new one.
    pub fn random() -> Self {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        Self(bytes)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Work for the same request that goes on in another task.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let id = RequestId::current();
    async move {
        match id {
            Some(id) => CURRENT.scope(id, work).await,
            None => work.await,
        }
    }
}
