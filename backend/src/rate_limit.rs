//! The flood shield: so many requests per address, before anything is read.

use std::convert::Infallible;

use actix_governor::{
    GovernorConfig, GovernorConfigBuilder, KeyExtractor,
    governor::{
        NotUntil,
        clock::{Clock, DefaultClock, QuantaInstant},
        middleware::NoOpMiddleware,
    },
};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError, dev::ServiceRequest};

use crate::{
    client_ip::{Caller, ClientKey},
    config::Quota,
    problem::ApiError,
    verification::Refusal,
};

/// The shield of one application, shared by its workers and its routes.
pub type RateLimit = GovernorConfig<ByClient, NoOpMiddleware<QuantaInstant>>;

/// Counts by [`ClientKey`].
#[derive(Clone, Copy, Debug)]
pub struct ByClient;

/// Finding the key cannot fail.
#[derive(Debug)]
pub struct Never(Infallible);

impl std::fmt::Display for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {}
    }
}

impl ResponseError for Never {}

impl KeyExtractor for ByClient {
    type Key = ClientKey;
    type KeyExtractionError = Never;

    fn extract(&self, request: &ServiceRequest) -> Result<ClientKey, Never> {
        Ok(Caller::of_service(request).key)
    }

    fn exceed_rate_limit_response(
        &self,
        negative: &NotUntil<QuantaInstant>,
        _: HttpResponseBuilder,
    ) -> HttpResponse {
        // The builder carries seconds that were rounded down: too early by one.
        let retry_after = negative.wait_time_from(DefaultClock::default().now());
        ApiError::from(Refusal::RateLimited { retry_after }).error_response()
    }
}

/// A shield that lets `quota.count` through at once and refills evenly; none
/// lets everything through.
pub fn shield(quota: Option<Quota>) -> RateLimit {
    let mut builder = GovernorConfigBuilder::default().key_extractor(ByClient);
    if let Some(quota) = quota {
        builder
            .period(quota.per / quota.count.get())
            .burst_size(quota.count.get());
    } else {
        builder.permissive(true);
    }
    builder
        .finish()
        .expect("neither the count nor the period is zero")
}

/// Forgets the callers whose limit is full again.
pub fn sweep(shield: &RateLimit) {
    shield.limiter().retain_recent();
    shield.limiter().shrink_to_fit();
}
