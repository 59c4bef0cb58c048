//! Assigns each request an id. An id sent by the caller is ignored, so that nobody can
//! write into the log or forge another's trail. The request is logged and counted here,
//! too.

use actix_web::{
    HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, Method,
        header::{HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};

use countersign_metrics::Metrics;
use countersign_shared::ErrorCode;

use crate::{
    http::drain::Drain,
    logging::{Context, RequestId, note, trace_id},
};

/// The response header with the id.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Label of a method: arbitrary ones are grouped, because anybody can make one up.
fn method(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

/// Assigns the id, and logs the request when it is answered.
pub async fn assign(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let id = RequestId::random();
    let started = std::time::Instant::now();
    request.extensions_mut().insert(id);
    let context = Context::new(id);
    let traceparent = request.headers().get("traceparent");
    if let Some(trace) = traceparent.and_then(|it| trace_id(it.to_str().ok()?)) {
        context.within(|| note("trace_id", trace));
    }
    let metrics = request.app_data::<Data<Metrics>>().cloned();
    let in_flight = metrics.as_ref().map(|metrics| metrics.request());
    let drain = request.app_data::<Data<Drain>>().cloned();
    let under_way = drain.as_ref().map(|drain| drain.enter());
    let mut response = context.scope(next.call(request)).await?;
    let text = id.to_string();
    let value = HeaderValue::from_str(&text).expect("hexadecimal digits are a header value");
    response.headers_mut().insert(HEADER, value);
    if drain.is_some_and(|drain| drain.has_begun()) {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    drop((in_flight, under_way));
    let request = response.request();
    // The route's pattern, not the path, which may contain a session id.
    let route = request.match_pattern().unwrap_or_default();
    let took = started.elapsed();
    if let Some(metrics) = metrics {
        metrics.request_ended(route.clone(), response.status().as_u16(), took);
    }
    let failure = response.response().extensions().get::<ErrorCode>().copied();
    context.within(|| {
        if let Some(code) = failure {
            note("code", code.as_str());
        }
        log::info!(
            event = "http.request",
            method = method(request.method()),
            route = route.as_str(),
            status = response.status().as_u16(),
            milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            "request answered"
        );
    });
    Ok(response)
}
