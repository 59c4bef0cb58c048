//! Runs a step of a verification for a request.

use std::{future::Future, time::Duration};

use crate::{
    http::{drain::Drain, problem::ApiError},
    logging::carried,
    verification::Refusal,
};

/// How long a caller waits for a step. Plivo has 8 seconds of them; the rest is
/// for a store that is slow, too.
const DEADLINE: Duration = Duration::from_secs(10);

/// Runs a step to its end also when the caller hangs up or has waited long
/// enough: a step that was cut off between Plivo and the store would lose what
/// happened.
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
