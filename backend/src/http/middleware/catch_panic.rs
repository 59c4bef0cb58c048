//! A panic in a handler is a problem of that request, not of the connection.

use std::panic::AssertUnwindSafe;

use actix_web::{
    Error, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};
use futures_util::FutureExt;

use crate::http::problem::ApiError;

/// Turns a panic into an internal error. It wraps a route, because a request
/// can only be kept aside once it is routed.
pub(crate) async fn catch(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let kept = request.request().clone();
    // Nothing outlives the request that could be seen half-changed: state is
    // behind the store.
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(answer) => Ok(answer?.map_into_boxed_body()),
        Err(_) => Ok(ServiceResponse::new(
            kept,
            ApiError::Internal.error_response(),
        )),
    }
}
