//! Branding by application: name, style, logo.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data},
};
use countersign_core::Application;
use serde::Deserialize;

use super::{Served, index::Branding, source};
use crate::http::problem::ApiError;

/// Path of the operator's style.
pub(super) const THEME_PATH: &str = "/theme.css";
/// Path of the operator's logo.
pub(super) const LOGO_PATH: &str = "/brand-logo";
/// An application's branding.
pub(super) fn branding(application: &Application, is_first: bool, is_sandbox: bool) -> Branding {
    let id = &application.id;
    let at = |path: &str| {
        if is_first {
            path.to_owned()
        } else {
            format!("{path}?application={id}")
        }
    };
    Branding {
        brand_name: application.name.clone(),
        is_sandbox,
        application: (!is_first).then(|| id.to_string()),
        theme: application.theme.as_ref().map(|_| at(THEME_PATH)),
        logo: application.logo.as_ref().map(|_| at(LOGO_PATH)),
    }
}

/// Query of a style or logo: the application.
#[derive(Deserialize)]
pub(super) struct Asked {
    application: Option<String>,
}

impl Asked {
    fn of(&self, served: &Served) -> Result<Arc<Application>, ApiError> {
        let applications = served.applications.current();
        let found = match &self.application {
            Some(id) => applications.get(id),
            None => Some(applications.first()),
        };
        found.cloned().ok_or(ApiError::NotFound)
    }
}

/// An application's style.
pub(super) async fn theme(
    request: HttpRequest,
    served: Data<Served>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, ApiError> {
    let application = asked.of(&served)?;
    let path = application.theme.as_ref().ok_or(ApiError::NotFound)?;
    let content_type = source::content_type(THEME_PATH);
    served.looked_at.answer(path, content_type, &request)
}

/// An application's logo.
pub(super) async fn logo(
    request: HttpRequest,
    served: Data<Served>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, ApiError> {
    let application = asked.of(&served)?;
    let path = application.logo.as_ref().ok_or(ApiError::NotFound)?;
    let content_type = source::content_type(&path.to_string_lossy());
    served.looked_at.answer(path, content_type, &request)
}
