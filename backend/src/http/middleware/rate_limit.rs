//! Rate limits by address, checked before anything of a request is read.
//!
//! Counts are in memory, and a flood may come from any number of addresses. So they are
//! kept in a fixed number of slots, each address in one that a keyed hash selects:
//! addresses that share a slot share its quota, which is rare and gives nobody more.

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

/// The rate limits in front of the routes, counted separately.
#[derive(Clone)]
pub struct RateLimits {
    /// For send, resend and verify.
    pub requests: RateLimit,
    /// For introspection, which an application's server calls for all its users.
    pub introspections: RateLimit,
    /// For session reads and event streams.
    pub reads: RateLimit,
    /// For all calls with an application's key, in place of the first two.
    pub applications: RateLimit<ByApplication>,
}

impl RateLimits {
    /// Drops counters whose quota is full again.
    pub fn sweep(&self) {
        self.requests.sweep();
        self.introspections.sweep();
        self.reads.sweep();
        self.applications.sweep();
    }
}

/// A rate limit, by address unless stated otherwise, shared by workers and routes.
#[derive(Clone)]
pub struct RateLimit<K: KeyExtractor = ByClient> {
    limit: GovernorConfig<K, Middleware>,
    is_on: bool,
}

type Middleware = NoOpMiddleware<QuantaInstant>;

impl RateLimit {
    /// By address; calls with a valid key are counted elsewhere.
    pub fn by_address(quota: Option<Quota>) -> Self {
        Self::new(quota, ByClient(RandomState::new()))
    }
}

impl RateLimit<ByApplication> {
    /// By application.
    pub fn by_application(quota: Option<Quota>) -> Self {
        Self::new(quota, ByApplication)
    }
}

impl<K: KeyExtractor> RateLimit<K> {
    /// Allows a burst of `quota.count` and refills evenly; without a quota it allows
    /// everything.
    fn new(quota: Option<Quota>, key: K) -> Self {
        let mut builder = GovernorConfigBuilder::default().key_extractor(key);
        if let Some(quota) = quota {
            // The configuration allows no more.
            let count = u32::try_from(quota.count.get()).unwrap_or(u32::MAX);
            builder.period(quota.per / count).burst_size(count);
        }
        let limit = builder.finish();
        Self {
            limit: limit.expect("neither the count nor the period is zero"),
            is_on: quota.is_some(),
        }
    }

    /// The middleware for a route.
    pub fn guard(&self) -> Condition<Governor<K, Middleware>> {
        Condition::new(self.is_on, Governor::new(&self.limit))
    }

    fn sweep(&self) {
        self.limit.limiter().retain_recent();
        self.limit.limiter().shrink_to_fit();
    }
}

/// Number of slots: some 20 MB if all are in use.
const PLACES: u64 = 1 << 18;

/// Selects the slot of the caller's address.
#[derive(Clone, Debug)]
pub struct ByClient(RandomState);

impl ByClient {
    fn place(&self, caller: &Caller) -> u32 {
        let hash = self.0.hash_one(caller.key);
        u32::try_from(hash % PLACES).expect("there are fewer places")
    }
}

/// Key extraction cannot fail.
#[derive(Debug)]
pub struct Never(Infallible);

impl std::fmt::Display for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {}
    }
}

impl ResponseError for Never {}

/// The slot of a request, or none if it is not counted here.
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

/// Selects by application.
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
    // The reported seconds are rounded down, one too early.
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
        // With a million random addresses about three slots in a hundred stay empty.
        assert!((250_000..=1 << 18).contains(&places.len()));
        assert_eq!(client.place(&caller(7)), client.place(&caller(7)));
        // Another process selects other slots.
        let other = ByClient(RandomState::new());
        assert!((0..64).any(|index| client.place(&caller(index)) != other.place(&caller(index))));
    }
}
