//! Turns a panic in a handler into an error of that request alone.

use std::panic::AssertUnwindSafe;

use actix_web::{
    Error, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};
use futures_util::FutureExt;

use crate::http::problem::ApiError;

/// Turns a panic into an internal error. It wraps routes, because a request can only be
/// cloned once it is routed.
pub(crate) async fn catch(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let kept = request.request().clone();
    // No shared state can be left half-changed: all state is behind the store.
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(answer) => Ok(answer?.map_into_boxed_body()),
        Err(_) => Ok(ServiceResponse::new(
            kept,
            ApiError::Internal.error_response(),
        )),
    }
}
