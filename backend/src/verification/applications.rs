//! The applications that are served, which may change while the service runs.

use std::sync::{Arc, PoisonError, RwLock};

use countersign_core::{Application, ApplicationId, Applications};

/// The applications that are served. Clones are the same ones.
#[derive(Clone)]
pub struct ApplicationRegistry(Arc<RwLock<Arc<Applications>>>);

impl ApplicationRegistry {
    /// With these.
    pub fn new(applications: Applications) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(applications))))
    }

    /// Those of this moment.
    pub fn current(&self) -> Arc<Applications> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    /// Puts others in their place, all at once. Answers whether any of them changed.
    pub fn replace(&self, applications: Applications) -> bool {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = **current != applications;
        if is_other {
            *current = Arc::new(applications.keeping(&current));
        }
        is_other
    }

    /// The one of that id.
    pub fn get(&self, id: &ApplicationId) -> Option<Arc<Application>> {
        self.current().get(id.as_str()).cloned()
    }
}
