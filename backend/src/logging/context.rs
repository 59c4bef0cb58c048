//! Log context of a request: its id, and fields found out on the way, such as the number's
//! hash.

use std::sync::{Arc, Mutex, PoisonError};

use super::request_id::RequestId;

/// The current request, for the log.
#[derive(Clone)]
pub struct Context(Arc<Mutex<Vec<Field>>>);

/// A field.
pub(super) type Field = (&'static str, String);

tokio::task_local! {
    static CURRENT: Context;
}

impl Context {
    /// The context of a request id.
    pub fn new(id: RequestId) -> Self {
        Self(Arc::new(Mutex::new(vec![("request_id", id.to_string())])))
    }

    /// Runs a future in this context: its log lines carry the fields.
    pub async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    /// Runs a closure in this context.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), work)
    }

    fn note(&self, name: &'static str, value: String) {
        let mut fields = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
    }

    /// The fields.
    pub(super) fn fields() -> Vec<Field> {
        let fields = |context: &Self| {
            let fields = context.0.lock().unwrap_or_else(PoisonError::into_inner);
            fields.clone()
        };
        CURRENT.try_with(fields).unwrap_or_default()
    }
}

/// The current request's id.
pub fn request_id() -> Option<String> {
    let id = |(name, value)| (name == "request_id").then_some(value);
    Context::fields().into_iter().find_map(id)
}

/// Adds a field to the current request's context, if there is one.
pub fn note(name: &'static str, value: impl Into<String>) {
    CURRENT
        .try_with(|context| context.note(name, value.into()))
        .ok();
}

/// Carries the context over to another task.
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
