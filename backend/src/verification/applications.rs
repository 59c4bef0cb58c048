//! The current applications, which may change while the service runs.

use std::sync::{Arc, PoisonError, RwLock};

use countersign_core::{Application, ApplicationId, Applications};

/// The current applications. Clones share them.
#[derive(Clone)]
pub struct ApplicationRegistry(Arc<RwLock<Arc<Applications>>>);

impl ApplicationRegistry {
    /// With these applications.
    pub fn new(applications: Applications) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(applications))))
    }

    /// The current ones.
    pub fn current(&self) -> Arc<Applications> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    /// Replaces all at once. Returns whether any changed.
    pub fn replace(&self, applications: Applications) -> bool {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = **current != applications;
        if is_other {
            *current = Arc::new(applications.keeping(&current));
        }
        is_other
    }

    /// The application with that id.
    pub fn get(&self, id: &ApplicationId) -> Option<Arc<Application>> {
        self.current().get(id.as_str()).cloned()
    }
}
