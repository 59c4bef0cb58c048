//! A file of the operator's, such as a style, that a reload shows as it is now.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use actix_web::{HttpRequest, HttpResponse, web::Bytes};

use crate::http::{precompressed::Encoded, problem::ApiError};

/// Served from memory, and read again once it has changed. Clones share it.
#[derive(Clone)]
pub(super) struct OperatorFile(Arc<Shared>);

struct Shared {
    path: PathBuf,
    content_type: &'static str,
    read: Mutex<Option<(Version, Encoded)>>,
}

/// What another content has another one of.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    modified: SystemTime,
    length: u64,
}

impl OperatorFile {
    pub(super) fn new(path: PathBuf, content_type: &'static str) -> Self {
        Self(Arc::new(Shared {
            path,
            content_type,
            read: Mutex::default(),
        }))
    }

    /// As it is now. Where it is gone, there is nothing here.
    pub(super) fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
        let content = self.content().map_err(|_| ApiError::NotFound)?;
        Ok(content.answer(request))
    }

    fn content(&self) -> std::io::Result<Encoded> {
        let metadata = std::fs::metadata(&self.0.path)?;
        let version = Version {
            modified: metadata.modified()?,
            length: metadata.len(),
        };
        let mut read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, content)) = &*read
            && *known == version
        {
            return Ok(content.clone());
        }
        let plain = Bytes::from(std::fs::read(&self.0.path)?);
        let content = Encoded::packed(self.0.content_type, plain, None, None);
        *read = Some((version, content.clone()));
        Ok(content)
    }
}
