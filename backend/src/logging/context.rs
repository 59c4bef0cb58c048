//! What all log lines of one request carry: its id, and what is found out about it on
//! the way, such as whom it is about.

use std::sync::{Arc, Mutex, PoisonError};

use super::request_id::RequestId;

/// The request that is being worked on, for the log.
#[derive(Clone)]
pub struct Context(Arc<Mutex<Vec<Field>>>);

/// A name and a value.
pub(super) type Field = (&'static str, String);

tokio::task_local! {
    static CURRENT: Context;
}

impl Context {
    /// Of the request of this id.
    pub fn new(id: RequestId) -> Self {
        Self(Arc::new(Mutex::new(vec![("request_id", id.to_string())])))
    }

    /// Does work for this request: its log lines carry what is known of it.
    pub async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    /// The same, for work that waits for nothing.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), work)
    }

    fn note(&self, name: &'static str, value: String) {
        let mut fields = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
    }

    /// What its lines carry.
    pub(super) fn fields() -> Vec<Field> {
        let fields = |context: &Self| {
            let fields = context.0.lock().unwrap_or_else(PoisonError::into_inner);
            fields.clone()
        };
        CURRENT.try_with(fields).unwrap_or_default()
    }
}

/// The id of the request that is being worked on.
pub fn request_id() -> Option<String> {
    let id = |(name, value)| (name == "request_id").then_some(value);
    Context::fields().into_iter().find_map(id)
}

/// From now on all lines of the request that is being worked on carry it. Where there is
/// none, nothing happens.
pub fn note(name: &'static str, value: impl Into<String>) {
    CURRENT
        .try_with(|context| context.note(name, value.into()))
        .ok();
}

/// Work for the same request that goes on in another task.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let context = CURRENT.try_with(Clone::clone).ok();
    async move {
        match context {
            Some(context) => context.scope(work).await,
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_noted_stays_with_its_request_in_every_task() {
        assert!(Context::fields().is_empty());
        note("number", "of nobody");
        let context = Context::new(RequestId::random());
        let carried = context.within(|| {
            carried(async {
                note("number", "one");
                note("number", "other");
            })
        });
        carried.await;
        let fields = context.within(Context::fields);
        assert_eq!(fields[1..], [("number", "other".to_owned())]);
        assert!(Context::fields().is_empty());
    }
}
