//! Runs a verification step for a request.

use std::{future::Future, time::Duration};

use crate::{
    http::{drain::Drain, problem::ApiError},
    logging::carried,
    verification::Refusal,
};

/// Timeout of a step: 8 seconds for Plivo, the rest for a slow store.
const DEADLINE: Duration = Duration::from_secs(10);

/// Runs a step to its end even if the client disconnects or the timeout passes: a step cut
/// off between Plivo and the store would lose its outcome.
pub(super) async fn to_the_end<T: Send + 'static>(
    drain: &Drain,
    step: impl Future<Output = T> + Send + 'static,
) -> Result<T, ApiError> {
    let under_way = drain.enter();
    let step = tokio::spawn(carried(async move {
        let ended = step.await;
        drop(under_way);
        ended
    }));
    match tokio::time::timeout(DEADLINE, step).await {
        Ok(ended) => ended.map_err(|_| ApiError::Internal),
        Err(_) => Err(Refusal::UpstreamTimeout.into()),
    }
}
