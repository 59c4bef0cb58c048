//! The API's table of contents.

pub mod callback;
mod config;
mod docs;
mod events;
mod health;
mod introspect;
mod keys;
mod page;
mod page_failure;
mod resend;
#[cfg(feature = "sandbox")]
mod sandbox;
mod send;
mod session;
mod verify;

use actix_web::{
    Error, Resource,
    body::BoxBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};
use countersign_shared as shared;
use utoipa::OpenApi;

use crate::http::{
    bulkhead::Bulkheads,
    middleware::{api_key, catch_panic, cross_origin, rate_limit::RateLimits},
    paths,
    problem::ApiError,
};
use crate::verification::ApplicationRegistry;

use self::{config::PublicConfig, docs::Contract, events::Streams, health::Readiness};

/// What the calls say of themselves, in the order a reader meets them.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Countersign",
        description = "Countersign verifies phone numbers: it sends a one-time code by SMS, voice or \
            WhatsApp, checks the answer, and gives a signed proof that your own server can trust.\n\n\
            Requests name only the fields below, each once, and are at most 4 KiB. Times are RFC \
            3339 in UTC; durations are whole seconds. Every GET but the stream takes HEAD too. Every \
            failure is `application/problem+json` (RFC 9457): branch on its `code`; texts may \
            change. Any other path is 404 `not_found`, any other method 405 `method_not_allowed` \
            with the header `Allow`.",
        license(name = "GPL-3.0-or-later", identifier = "GPL-3.0-or-later"),
    ),
    servers((url = "/")),
    tags(
        (name = "Verification", description = "The four operations of an application: send a code, resend it, check it, introspect the proof."),
        (name = "Proofs", description = "Verify proofs offline."),
        (name = "Form", description = "For your own form in a browser, in addition to send, resend and verify."),
        (name = "Page", description = "Used by Countersign's own page only."),
        (name = "Service", description = "Health checks and documents."),
        (name = "Plivo", description = "Callbacks from Plivo."),
    ),
    components(schemas(shared::Problem)),
    paths(
        send::send,
        resend::resend,
        verify::verify,
        introspect::introspect,
        keys::keys,
        config::config,
        session::session,
        events::events,
        page::page,
        page_failure::report,
        health::live,
        health::ready,
        docs::document,
        docs::docs,
        docs::file,
        docs::file_in,
        docs::llms,
        callback::post,
        callback::get,
    ),
)]
pub(super) struct Api;

/// What there is in sandbox only.
#[cfg(feature = "sandbox")]
#[derive(OpenApi)]
#[openapi(
    tags((name = "Sandbox", description = "Available in sandbox only, where no message is really sent.")),
    paths(sandbox::messages),
)]
pub(super) struct SandboxApi;

/// A path of ours, and the methods it knows.
pub(crate) type Listed = (String, &'static str);

/// What is worked out once and answered to everyone alike.
#[derive(Clone)]
pub struct FixedAnswers {
    config: Data<PublicConfig>,
    contract: Data<Contract>,
}

impl FixedAnswers {
    /// Works them out.
    pub fn new(registry: ApplicationRegistry, is_sandbox: bool, otp_length: u8) -> Self {
        Self {
            config: Data::new(PublicConfig::new(registry, is_sandbox, otp_length)),
            contract: Data::new(Contract::new(is_sandbox)),
        }
    }
}

/// What bounds the calls that are not sends or checks. One for each application.
#[derive(Clone, Default)]
pub struct Bounds {
    bulkheads: Data<Bulkheads>,
    readiness: Data<Readiness>,
    streams: Data<Streams>,
}

/// Every call and who answers it. A path of ours with another method, and any
/// other path under `/api`, is a problem too.
pub fn configure(
    config: &mut ServiceConfig,
    (limits, bounds): (&RateLimits, &Bounds),
    fixed: &FixedAnswers,
) {
    config
        .app_data(bounds.bulkheads.clone())
        .app_data(bounds.readiness.clone())
        .app_data(bounds.streams.clone())
        .app_data(fixed.config.clone())
        .app_data(fixed.contract.clone());
    register(config, limits);
}

/// Answers what there is now, so that the contract can be held to it.
pub(crate) fn register(config: &mut ServiceConfig, limits: &RateLimits) -> Vec<Listed> {
    let mut listed = Vec::new();
    let mut resource = |path: &str, methods| {
        listed.push((path.to_owned(), methods));
        resource(path, methods)
    };
    macro_rules! guarded {
        ($limit:expr, $path:expr, $handler:path) => {
            resource($path, "POST")
                .route(web::post().to($handler))
                .wrap(from_fn(api_key::refuse))
                .wrap(limits.applications.guard())
                .wrap($limit.guard())
                .wrap(from_fn(cross_origin::refuse_other_sites))
                .wrap(from_fn(api_key::identify))
        };
    }
    // HEAD is GET without the body (RFC 9110, 9.3.2); health checks like it.
    macro_rules! readable {
        ($path:expr, $handler:path) => {
            resource($path, "GET, HEAD")
                .route(web::get().to($handler))
                .route(web::head().to($handler))
        };
    }
    config
        .service(guarded!(limits.requests, shared::send::PATH, send::send))
        .service(guarded!(
            limits.requests,
            shared::resend::PATH,
            resend::resend
        ))
        .service(guarded!(
            limits.requests,
            shared::verify::PATH,
            verify::verify
        ))
        .service(guarded!(limits.requests, shared::page::PATH, page::page))
        .service(guarded!(
            limits.introspections,
            shared::proof::INTROSPECT_PATH,
            introspect::introspect
        ))
        .service(guarded!(
            limits.requests,
            paths::PAGE_FAILURES,
            page_failure::report
        ))
        .service(readable!(shared::proof::KEYS_PATH, keys::keys))
        .service(readable!(paths::SESSION, session::session).wrap(limits.reads.guard()))
        .service(
            resource(paths::EVENTS, "GET")
                .route(web::get().to(events::events))
                .wrap(limits.reads.guard()),
        )
        .service(
            resource(paths::CALLBACK_OF_SECRET, "GET, POST")
                .route(web::post().to(callback::post))
                .route(web::get().to(callback::get)),
        )
        .service(readable!(shared::config::PATH, config::config))
        .service(readable!(paths::OPENAPI, docs::document))
        .service(readable!(paths::DOCS, docs::docs))
        .service(readable!(paths::DOCS_FILE, docs::file))
        .service(readable!(paths::DOCS_FILE_IN, docs::file_in))
        .service(readable!(paths::LLMS, docs::llms))
        .service(readable!(paths::LIVE, health::live))
        .service(readable!(paths::READY, health::ready));
    #[cfg(feature = "sandbox")]
    config.service(readable!(paths::SANDBOX_MESSAGES, sandbox::messages));
    config.service(web::scope("/api").default_service(web::to(nothing_here)));
    listed
}

/// A path of ours: a panic there costs that request only, and another method is
/// told which one to use.
fn resource(
    path: &str,
    method: &'static str,
) -> Resource<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    web::resource(path)
        .wrap(from_fn(catch_panic::catch))
        .default_service(web::to(move || async move {
            Err::<(), _>(ApiError::MethodNotAllowed(method))
        }))
}

/// The answer where there is nothing.
pub async fn nothing_here() -> Result<(), ApiError> {
    Err(ApiError::NotFound)
}
