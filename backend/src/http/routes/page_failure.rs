//! `POST /api/page/failures`: the page's program died in a browser.

use actix_web::HttpResponse;

use crate::http::{
    openapi::{failures::failures, groups::CALLER},
    paths,
};

failures!(ReportFailures: CALLER);

/// Report a failure of the page
///
/// Sent by our own page, once and without data, so that the operator is notified.
// Logs the beacon, which carries no data: `countersign_http_requests_total` counts it by
// its route.
#[utoipa::path(
    post,
    path = paths::PAGE_FAILURES,
    operation_id = "report_page_failure",
    tag = "Page",
    responses((status = 204, description = "Counted."), ReportFailures),
)]
pub(super) async fn report() -> HttpResponse {
    log::warn!(event = "page.failed"; "the page's program failed in a browser");
    HttpResponse::NoContent().finish()
}
