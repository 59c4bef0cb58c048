//! The operator's files, such as a style; a reload of the page shows the current content.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use actix_web::{HttpRequest, HttpResponse, web::Bytes};

use crate::http::{precompressed::Precompressed, problem::ApiError};

/// Serves the operator's files from memory, and reloads changed ones.
#[derive(Default)]
pub(super) struct OperatorFiles(Mutex<HashMap<PathBuf, (Version, Precompressed)>>);

/// What identifies a version of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    modified: SystemTime,
    length: u64,
}

impl OperatorFiles {
    /// The current content; 404 if the file is gone.
    pub(super) fn answer(
        &self,
        path: &Path,
        content_type: &'static str,
        request: &HttpRequest,
    ) -> Result<HttpResponse, ApiError> {
        let content = self.content(path, content_type);
        Ok(content.map_err(|_| ApiError::NotFound)?.answer(request))
    }

    fn content(&self, path: &Path, content_type: &'static str) -> std::io::Result<Precompressed> {
        let metadata = std::fs::metadata(path)?;
        let version = Version {
            modified: metadata.modified()?,
            length: metadata.len(),
        };
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, content)) = read.get(path)
            && *known == version
        {
            return Ok(content.clone());
        }
        let plain = Bytes::from(std::fs::read(path)?);
        let content = Precompressed::packed(content_type, plain, None, None);
        read.insert(path.to_owned(), (version, content.clone()));
        Ok(content)
    }
}
