//! `/api/plivo/callback/{secret}`: Plivo tells how a delivery goes.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};

use countersign_plivo::signature::Signatures;

use crate::http::extract::body::FormBody;
use crate::{
    http::{problem::ApiError, state::AppState},
    verification::{CallbackRefusal, Verification, log_refused},
};

pub(super) async fn post(
    state: Data<AppState>,
    secret: Path<String>,
    request: HttpRequest,
    form: FormBody,
) -> Result<HttpResponse, ApiError> {
    receive(&state.verification, &secret, &request, form.fields()).await
}

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
