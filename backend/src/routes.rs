//! The API's table of contents.

mod body;
pub mod callback;
mod config;
pub mod contract;
mod events;
mod health;
mod introspect;
mod keys;
mod once;
mod panic;
mod resend;
#[cfg(feature = "sandbox")]
mod sandbox;
mod send;
mod session;
mod verify;

use std::{future::Future, time::Duration};

use actix_web::{
    Error, Resource,
    body::BoxBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};
use countersign_shared::{self as shared, config::ConfigResponse};

use crate::{
    cross_origin, draining::Drain, problem::ApiError, rate_limit::Shields, request_id,
    verification::Refusal,
};

pub use self::events::Streams;
use self::{config::Facts, contract::Contract};

/// A path of ours, and the methods it knows.
pub(crate) type Listed = (String, &'static str);

/// What is worked out once and answered to everyone alike.
#[derive(Clone)]
pub struct FixedAnswers {
    facts: Data<Facts>,
    contract: Data<Contract>,
}

impl FixedAnswers {
    /// Works them out.
    pub fn new(facts: &ConfigResponse) -> Self {
        Self {
            facts: Data::new(Facts::new(facts)),
            contract: Data::new(Contract::new(facts.sandbox)),
        }
    }
}

/// Where the pretend phones' messages are read, in sandbox.
pub const SANDBOX_MESSAGES: &str = "/sandbox/messages";

/// Every call and who answers it. A path of ours with another method, and any
/// other path under `/api`, is a problem too.
pub fn configure(config: &mut ServiceConfig, shields: &Shields, fixed: &FixedAnswers) {
    config
        .app_data(fixed.facts.clone())
        .app_data(fixed.contract.clone());
    register(config, shields);
}

/// Answers what there is now, so that the contract can be held to it.
pub(crate) fn register(config: &mut ServiceConfig, shields: &Shields) -> Vec<Listed> {
    let mut listed = Vec::new();
    let mut resource = |path: &str, methods| {
        listed.push((path.to_owned(), methods));
        resource(path, methods)
    };
    macro_rules! guarded {
        ($shield:expr, $path:expr, $handler:path) => {
            resource($path, "POST")
                .route(web::post().to($handler))
                .wrap($shield.guard())
                .wrap(from_fn(cross_origin::refuse_other_sites))
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
        .service(guarded!(shields.requests, shared::send::PATH, send::send))
        .service(guarded!(
            shields.requests,
            shared::resend::PATH,
            resend::resend
        ))
        .service(guarded!(
            shields.requests,
            shared::verify::PATH,
            verify::verify
        ))
        .service(guarded!(
            shields.introspections,
            shared::proof::INTROSPECT_PATH,
            introspect::introspect
        ))
        .service(readable!(shared::proof::KEYS_PATH, keys::keys))
        .service(readable!(
            &format!("{}/{{session_uuid}}", shared::session::PATH),
            session::session
        ))
        .service(
            resource(
                &format!(
                    "{}/{{session_uuid}}{}",
                    shared::session::PATH,
                    shared::session::EVENTS
                ),
                "GET",
            )
            .route(web::get().to(events::events)),
        )
        .service(
            resource(&format!("{}/{{secret}}", callback::PATH), "GET, POST")
                .route(web::post().to(callback::post))
                .route(web::get().to(callback::get)),
        )
        .service(readable!(shared::config::PATH, config::config))
        .service(readable!(contract::DOCUMENT, contract::document))
        .service(readable!(contract::PAGE, contract::page))
        .service(readable!(
            &format!("{}/{{file}}", contract::PAGE),
            contract::file
        ))
        .service(readable!("/healthz", health::live))
        .service(readable!("/readyz", health::ready));
    #[cfg(feature = "sandbox")]
    config.service(readable!(SANDBOX_MESSAGES, sandbox::messages));
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
        .wrap(from_fn(panic::catch))
        .default_service(web::to(move || async move {
            Err::<(), _>(ApiError::MethodNotAllowed(method))
        }))
}

/// The answer where there is nothing.
pub async fn nothing_here() -> Result<(), ApiError> {
    Err(ApiError::NotFound)
}

/// How long a caller waits for a step. Plivo has 8 seconds of them; the rest is
/// for a store that is slow, too.
const DEADLINE: Duration = Duration::from_secs(10);

/// Runs a step to its end also when the caller hangs up or has waited long
/// enough: a step that was cut off between Plivo and the store would lose what
/// happened.
async fn to_the_end<T: Send + 'static>(
    drain: &Drain,
    step: impl Future<Output = T> + Send + 'static,
) -> Result<T, ApiError> {
    let under_way = drain.enter();
    let step = tokio::spawn(request_id::carried(async move {
        let ended = step.await;
        drop(under_way);
        ended
    }));
    match tokio::time::timeout(DEADLINE, step).await {
        Ok(ended) => ended.map_err(|_| ApiError::Internal),
        Err(_) => Err(Refusal::UpstreamTimeout.into()),
    }
}
