//! The flood shield: so many requests per address, before anything is read.
//!
//! It stands in memory, and a flood comes from as many addresses as it likes. So
//! addresses are counted in a fixed number of places, each address in one that
//! nobody outside can foresee: two that share one have to share its quota, which
//! is rare and gives nobody more.

use std::{
    convert::Infallible,
    hash::{BuildHasher, RandomState},
};

use actix_governor::{
    Governor, GovernorConfig, GovernorConfigBuilder, KeyExtractor,
    governor::{
        NotUntil,
        clock::{Clock, DefaultClock, QuantaInstant},
        middleware::NoOpMiddleware,
    },
};
use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError, dev::ServiceRequest, middleware::Condition,
};

use countersign_core::{ApplicationId, Quota, RefusalRule};

use crate::{
    http::{
        extract::{caller::caller_of, presented::Presented},
        problem::ApiError,
    },
    verification::{Caller, Refusal},
};

/// The rate limits in front of the routes, each with a count of its own.
#[derive(Clone)]
pub struct RateLimits {
    /// Of send, resend and verify.
    pub requests: RateLimit,
    /// Of introspection, which an application's server asks for all its users.
    pub introspections: RateLimit,
    /// Of what reads a session.
    pub reads: RateLimit,
    /// Of all that comes with an application's key, in place of the first two.
    pub applications: RateLimit<ByApplication>,
}

impl RateLimits {
    /// Drops the counts of callers whose limits are full again.
    pub fn sweep(&self) {
        self.requests.sweep();
        self.introspections.sweep();
        self.reads.sweep();
        self.applications.sweep();
    }
}

/// A rate limit, by address unless it says otherwise, shared by the workers and the
/// routes behind it.
#[derive(Clone)]
pub struct RateLimit<K: KeyExtractor = ByClient> {
    limit: GovernorConfig<K, Middleware>,
    is_on: bool,
}

type Middleware = NoOpMiddleware<QuantaInstant>;

impl RateLimit {
    /// By address; of calls with a right key another one counts.
    pub fn by_address(quota: Option<Quota>) -> Self {
        Self::new(quota, ByClient(RandomState::new()))
    }
}

impl RateLimit<ByApplication> {
    /// By the application whose key came.
    pub fn by_application(quota: Option<Quota>) -> Self {
        Self::new(quota, ByApplication)
    }
}

impl<K: KeyExtractor> RateLimit<K> {
    /// Lets `quota.count` through at once and refills evenly; none lets
    /// everything through.
    fn new(quota: Option<Quota>, key: K) -> Self {
        let mut builder = GovernorConfigBuilder::default().key_extractor(key);
        if let Some(quota) = quota {
            // The settings take no more.
            let count = u32::try_from(quota.count.get()).unwrap_or(u32::MAX);
            builder.period(quota.per / count).burst_size(count);
        }
        let limit = builder.finish();
        Self {
            limit: limit.expect("neither the count nor the period is zero"),
            is_on: quota.is_some(),
        }
    }

    /// What stands in front of a route.
    pub fn guard(&self) -> Condition<Governor<K, Middleware>> {
        Condition::new(self.is_on, Governor::new(&self.limit))
    }

    fn sweep(&self) {
        self.limit.limiter().retain_recent();
        self.limit.limiter().shrink_to_fit();
    }
}

/// How many addresses are told apart: some 20 MB when all are in use.
const PLACES: u64 = 1 << 18;

/// Counts by the place of a caller's address.
#[derive(Clone, Debug)]
pub struct ByClient(RandomState);

impl ByClient {
    fn place(&self, caller: &Caller) -> u32 {
        let hash = self.0.hash_one(caller.key);
        u32::try_from(hash % PLACES).expect("there are fewer places")
    }
}

/// Finding the key cannot fail.
#[derive(Debug)]
pub struct Never(Infallible);

impl std::fmt::Display for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {}
    }
}

impl ResponseError for Never {}

/// Where a request is counted: not here, or in that place.
type Counted<P> = Option<P>;

impl KeyExtractor for ByClient {
    type Key = Counted<u32>;
    type KeyExtractionError = Never;

    fn extract(&self, request: &ServiceRequest) -> Result<Self::Key, Never> {
        let has_key = Presented::of(request).application().is_some();
        Ok((!has_key).then(|| self.place(&caller_of(request.request()))))
    }

    fn whitelisted_keys(&self) -> Vec<Self::Key> {
        vec![None]
    }

    fn exceed_rate_limit_response(
        &self,
        negative: &NotUntil<QuantaInstant>,
        _: HttpResponseBuilder,
    ) -> HttpResponse {
        refused(RefusalRule::RequestsPerAddress, negative)
    }
}

/// Counts by the application whose key came.
#[derive(Clone, Copy, Debug)]
pub struct ByApplication;

impl KeyExtractor for ByApplication {
    type Key = Counted<ApplicationId>;
    type KeyExtractionError = Never;

    fn extract(&self, request: &ServiceRequest) -> Result<Self::Key, Never> {
        let presented = Presented::of(request);
        Ok(presented.application().map(|it| it.id.clone()))
    }

    fn whitelisted_keys(&self) -> Vec<Self::Key> {
        vec![None]
    }

    fn exceed_rate_limit_response(
        &self,
        negative: &NotUntil<QuantaInstant>,
        _: HttpResponseBuilder,
    ) -> HttpResponse {
        refused(RefusalRule::RequestsPerApplication, negative)
    }
}

fn refused(rule: RefusalRule, negative: &NotUntil<QuantaInstant>) -> HttpResponse {
    // The builder carries seconds that were rounded down: too early by one.
    let retry_after = negative.wait_time_from(DefaultClock::default().now());
    ApiError::from(Refusal::RateLimited { rule, retry_after }).error_response()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn caller(index: u32) -> Caller {
        Caller::at(std::net::Ipv4Addr::from_bits(index).into())
    }

    #[test]
    fn a_million_addresses_are_counted_in_as_many_places_as_there_are() {
        let client = ByClient(RandomState::new());
        let places: HashSet<u32> = (0..1_000_000)
            .map(|index| client.place(&caller(index)))
            .collect();
        // Three in a hundred stay empty when a million fall into them at random.
        assert!((250_000..=1 << 18).contains(&places.len()));
        assert_eq!(client.place(&caller(7)), client.place(&caller(7)));
        // Another process puts them elsewhere.
        let other = ByClient(RandomState::new());
        assert!((0..64).any(|index| client.place(&caller(index)) != other.place(&caller(index))));
    }
}
