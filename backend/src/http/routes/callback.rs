//! `/api/plivo/callback/{secret}`: Plivo tells how a delivery goes.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};

use countersign_plivo::signature::Signatures;

use crate::http::extract::body::FormBody;
use crate::{
    http::{
        openapi::{
            examples,
            failures::failures,
            groups::{FORM, STORE},
        },
        paths,
        problem::ApiError,
        state::AppState,
    },
    verification::{CallbackRefusal, Verification, log_refused},
};

failures!(PostFailures: FORM, REFUSED, STORE);
failures!(GetFailures: REFUSED, STORE);

/// What else a callback is refused for.
const REFUSED: &[ApiError] = &[ApiError::NotFound, ApiError::CallbackRejected];

/// Receive a delivery callback
///
/// Plivo gets this address with each send if `PUBLIC_URL` is set. A callback must be signed
/// (V2 or V3) for exactly this address, be less than two hours old and carry a new nonce.
#[utoipa::path(
    post,
    path = paths::CALLBACK_OF_SECRET,
    operation_id = "receive_callback",
    tag = "Plivo",
    params(("secret" = String, Path)),
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        examples(("delivered" = (value = json!({"SessionUUID": examples::SESSION, "Status": "delivered"})))),
    ),
    responses((status = 200, description = "Taken."), PostFailures),
)]
pub(super) async fn post(
    state: Data<AppState>,
    secret: Path<String>,
    request: HttpRequest,
    form: FormBody,
) -> Result<HttpResponse, ApiError> {
    receive(&state.verification, &secret, &request, form.fields()).await
}

/// Receive a delivery callback by GET
///
/// The same as by POST, with the fields in the query.
#[utoipa::path(
    get,
    path = paths::CALLBACK_OF_SECRET,
    operation_id = "receive_callback_by_get",
    tag = "Plivo",
    params(("secret" = String, Path)),
    responses((status = 200, description = "Taken."), GetFailures),
)]
pub(super) async fn get(
    state: Data<AppState>,
    secret: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    receive(&state.verification, &secret, &request, &[]).await
}

async fn receive(
    verification: &Verification,
    secret: &str,
    request: &HttpRequest,
    form: &[(String, String)],
) -> Result<HttpResponse, ApiError> {
    let query: Vec<_> = form_urlencoded::parse(request.query_string().as_bytes())
        .into_owned()
        .collect();
    let signatures = Signatures::read(|name| request.headers().get(name)?.to_str().ok());
    let taken = verification.call_back(secret, &query, form, signatures);
    match taken.await {
        Ok(()) => Ok(HttpResponse::Ok().finish()),
        Err(CallbackRefusal::NotHere) => Err(ApiError::NotFound),
        Err(CallbackRefusal::Store(refusal)) => Err(refusal.into()),
        Err(CallbackRefusal::Refused(why)) => {
            log_refused(why);
            Err(ApiError::CallbackRejected)
        }
    }
}
