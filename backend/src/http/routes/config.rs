//! `GET /api/config`.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web::{Data, Query},
};
use countersign_core::{Application, country};
use countersign_shared::{self as shared, config::ConfigResponse};
use serde::Deserialize;

use crate::{
    http::{
        openapi::{examples, failures::failures},
        per_application::PerApplication,
        precompressed::Precompressed,
        problem::ApiError,
    },
    verification::ApplicationRegistry,
};

/// What clients are told, the same for everyone who asks about an application.
pub(super) struct PublicConfig {
    registry: ApplicationRegistry,
    is_sandbox: bool,
    otp_length: u8,
    told: PerApplication<Precompressed>,
}

impl PublicConfig {
    /// Makes them ready to be told.
    pub(super) fn new(registry: ApplicationRegistry, is_sandbox: bool, otp_length: u8) -> Self {
        let config = Self {
            registry,
            is_sandbox,
            otp_length,
            told: PerApplication::default(),
        };
        config.of(config.registry.current().first());
        config
    }

    fn of(&self, application: &Arc<Application>) -> Arc<Precompressed> {
        self.told.get(application, || {
            let config = ConfigResponse {
                brand_name: application.name.clone(),
                sandbox: self.is_sandbox,
                otp_length: self.otp_length,
                channels: application.policy.channels.clone(),
                countries: country::countries(&application.policy),
            };
            let json = serde_json::to_vec(&config).expect("plain values are JSON");
            Precompressed::new("application/json", json)
        })
    }
}

/// Whose.
#[derive(Deserialize)]
pub(super) struct Asked {
    application: Option<String>,
}

failures!(ConfigFailures: &[ApiError::InvalidField("application")]);

/// Get the configuration
#[utoipa::path(
    get,
    path = shared::config::PATH,
    operation_id = "get_config",
    tag = "Form",
    params(("application" = Option<String>, Query, description = "The application's id; the first one when absent.")),
    responses(
        (
            status = 200,
            description = "What a client needs to draw itself.",
            body = ConfigResponse,
            examples(("two_countries" = (value = json!(examples::config())))),
        ),
        (status = 304, description = "The caller has it already."),
        ConfigFailures,
    ),
)]
pub(super) async fn config(
    request: HttpRequest,
    config: Data<PublicConfig>,
    asked: Query<Asked>,
) -> Result<HttpResponse, ApiError> {
    let applications = config.registry.current();
    let application = match &asked.application {
        Some(id) => applications.get(id),
        None => Some(applications.first()),
    };
    let application = application.ok_or(ApiError::InvalidField("application"))?;
    let mut answer = config.of(application).answer(&request);
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(answer)
}
