//! `GET /healthz` and `GET /readyz`.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{HttpResponse, web::Data};
use serde_json::json;
use tokio::sync::Mutex;

use crate::{
    http::{
        drain::Drain,
        openapi::{
            failures::failures,
            groups::{ENDING, STORE},
            schemas,
        },
        paths,
        problem::ApiError,
        state::AppState,
    },
    verification::Refusal,
};

/// Asks the store for all who want to know: one question at a time, whose answer
/// counts for everybody who came before it was asked. The question writes, and
/// anybody may put it as often as he likes.
#[derive(Default)]
pub(super) struct Readiness {
    asked: AtomicU64,
    /// The last question that was answered, and its answer.
    last: Mutex<Option<(u64, Result<(), Refusal>)>>,
}

impl Readiness {
    async fn ask(
        &self,
        question: impl Future<Output = Result<(), Refusal>>,
    ) -> Result<(), Refusal> {
        let asked_before = self.asked.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some((number, answer)) = *last
            && number > asked_before
        {
            return answer;
        }
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = question.await;
        *last = Some((number, answer));
        answer
    }
}

failures!(LiveFailures:);

/// Check liveness
///
/// The process runs; nothing else is checked.
#[utoipa::path(
    get,
    path = paths::LIVE,
    operation_id = "get_liveness",
    tag = "Service",
    responses(
        (
            status = 200,
            description = "Yes.",
            body = schemas::Liveness,
            examples(("yes" = (value = json!({"status": "ok"})))),
        ),
        LiveFailures,
    ),
)]
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

failures!(ReadyFailures: STORE, ENDING);

/// Check readiness
///
/// The store works, and the process is not shutting down. Plivo is not checked: its outage
/// must not remove every instance from the load balancer.
#[utoipa::path(
    get,
    path = paths::READY,
    operation_id = "get_readiness",
    tag = "Service",
    responses(
        (
            status = 200,
            description = "Yes.",
            body = schemas::Readiness,
            examples(("yes" = (value = json!({"status": "ready"})))),
        ),
        ReadyFailures,
    ),
)]
pub(super) async fn ready(
    state: Data<AppState>,
    readiness: Data<Readiness>,
    drain: Data<Drain>,
) -> Result<HttpResponse, ApiError> {
    if drain.has_begun() {
        return Err(ApiError::Ending);
    }
    let question = async {
        let answer = state.store.ready().await;
        answer.map_err(|_| Refusal::STORE_UNAVAILABLE)
    };
    readiness.ask(question).await?;
    Ok(HttpResponse::Ok().json(json!({"status": "ready"})))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::{future::join_all, poll};
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_thousand_who_ask_are_two_questions_and_none_hears_an_old_answer() {
        let readiness = Readiness::default();
        let (questions, answer) = &(AtomicUsize::new(0), Notify::new());
        let ask = |outcome| {
            readiness.ask(async move {
                questions.fetch_add(1, Ordering::SeqCst);
                answer.notified().await;
                outcome
            })
        };
        let mut first = Box::pin(ask(Ok(())));
        assert!(poll!(&mut first).is_pending());
        // These came after the first question: it says nothing of their moment.
        let mut others = Box::pin(join_all(
            (0..1000).map(|_| ask(Err(Refusal::UpstreamError))),
        ));
        assert!(poll!(&mut others).is_pending());
        answer.notify_one();
        first.await.unwrap();
        assert!(poll!(&mut others).is_pending());
        answer.notify_one();
        assert!(others.await.iter().all(Result::is_err));
        assert_eq!(questions.load(Ordering::SeqCst), 2);
    }
}
