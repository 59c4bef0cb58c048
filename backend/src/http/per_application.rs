//! A cache of values per application, rebuilt when the application changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use countersign_core::{Application, ApplicationId};

/// Values per application.
pub(super) struct PerApplication<T>(Mutex<Made<T>>);

/// Each with the application it was built for.
type Made<T> = HashMap<ApplicationId, (Arc<Application>, Arc<T>)>;

impl<T> Default for PerApplication<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> PerApplication<T> {
    /// The value of an application.
    pub(super) fn get(&self, application: &Arc<Application>, make: impl FnOnce() -> T) -> Arc<T> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, value)) = known.get(&application.id)
            && Arc::ptr_eq(of, application)
        {
            return value.clone();
        }
        let value = Arc::new(make());
        let entry = (application.clone(), value.clone());
        known.insert(application.id.clone(), entry);
        value
    }
}
