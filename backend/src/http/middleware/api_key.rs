//! Authentication by applications' keys.
//!
//! [`identify`] records the presented key before anything is counted, because rate limits
//! depend on it; [`refuse`] runs behind them, so that wrong keys are counted by address.

use actix_web::{
    Error, HttpMessage, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};
use countersign_metrics::Metrics;

use crate::{
    http::{connections::vouch_for, extract::presented::Presented, problem::ApiError},
    verification::ApplicationRegistry,
};

/// Records the presented key.
pub async fn identify(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let registry = request.app_data::<Data<ApplicationRegistry>>();
    let presented = registry.map_or(Presented::Nothing, |registry| {
        Presented::read(request.headers(), registry)
    });
    if let Presented::Key(_) = &presented {
        vouch_for(request.request());
    }
    request.extensions_mut().insert(presented);
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// Refuses wrong keys, and valid ones sent by a page.
pub async fn refuse(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let presented = Presented::of(&request);
    let metrics = request.app_data::<Data<Metrics>>();
    let refused = match &presented {
        Presented::Nothing | Presented::Key(_) => None,
        Presented::FromBrowser(application) => {
            log::warn!(
                event = "key.from_browser", application = application.id.as_str();
                "a page called with an application's key, which has leaked: replace it"
            );
            Some(("from_browser", ApiError::KeyFromBrowser))
        }
        Presented::Wrong(challenge) => {
            log::warn!(event = "key.rejected"; "a call with a key that is wrong or revoked");
            Some(("unknown", ApiError::Unauthorized(*challenge)))
        }
    };
    if let Some((reason, error)) = refused {
        if let Some(metrics) = metrics {
            metrics.key_rejected(reason);
        }
        return Ok(request.into_response(error.error_response()));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
