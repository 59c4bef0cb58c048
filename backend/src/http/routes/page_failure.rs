//! `POST /api/page/failures`: the page's program died in a browser.

use actix_web::HttpResponse;

/// Logs the beacon, which carries no data: `countersign_http_requests_total` counts it by
/// its route.
pub(super) async fn report() -> HttpResponse {
    log::warn!(event = "page.failed"; "the page's program failed in a browser");
    HttpResponse::NoContent().finish()
}
