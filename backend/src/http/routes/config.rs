//! `GET /api/config`.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web::{Data, Query},
};
use countersign_core::{Application, country};
use countersign_shared::config::ConfigResponse;
use serde::Deserialize;

use crate::{
    http::{per_application::PerApplication, precompressed::Encoded, problem::ApiError},
    verification::ApplicationRegistry,
};

/// What clients are told, the same for everyone who asks about an application.
pub(super) struct Facts {
    registry: ApplicationRegistry,
    is_sandbox: bool,
    otp_length: u8,
    told: PerApplication<Encoded>,
}

impl Facts {
    /// Makes them ready to be told.
    pub(super) fn new(registry: ApplicationRegistry, is_sandbox: bool, otp_length: u8) -> Self {
        let facts = Self {
            registry,
            is_sandbox,
            otp_length,
            told: PerApplication::default(),
        };
        facts.of(facts.registry.current().first());
        facts
    }

    fn of(&self, application: &Arc<Application>) -> Arc<Encoded> {
        self.told.get(application, || {
            let facts = ConfigResponse {
                brand_name: application.name.clone(),
                sandbox: self.is_sandbox,
                otp_length: self.otp_length,
                channels: application.policy.channels.clone(),
                countries: country::countries(&application.policy),
            };
            let json = serde_json::to_vec(&facts).expect("plain values are JSON");
            Encoded::new("application/json", json)
        })
    }
}

/// Whose.
#[derive(Deserialize)]
pub(super) struct Asked {
    application: Option<String>,
}

pub(super) async fn config(
    request: HttpRequest,
    facts: Data<Facts>,
    asked: Query<Asked>,
) -> Result<HttpResponse, ApiError> {
    let applications = facts.registry.current();
    let application = match &asked.application {
        Some(id) => applications.get(id),
        None => Some(applications.first()),
    };
    let application = application.ok_or(ApiError::InvalidField("application"))?;
    let mut answer = facts.of(application).answer(&request);
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(answer)
}
