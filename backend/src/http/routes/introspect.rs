//! `POST /api/proofs/introspect` (RFC 7662).

use actix_web::web::{Data, Json};
use countersign_shared::{Purpose, proof::Introspection};

use crate::http::extract::{body::FormBody, requester::Client};
use crate::http::problem::Challenge;
use crate::http::step::to_the_end;
use crate::http::{bulkhead::Bulkheads, drain::Drain, problem::ApiError, state::AppState};
use crate::verification::Question;

pub(super) async fn introspect(
    state: Data<AppState>,
    bulkheads: Data<Bulkheads>,
    drain: Data<Drain>,
    client: Client,
    form: FormBody,
) -> Result<Json<Introspection>, ApiError> {
    if client.application().is_none() && !state.introspection.is_open() {
        return Err(ApiError::Unauthorized(Challenge::Bearer));
    }
    let token = form
        .one("token")?
        .filter(|token| !token.is_empty())
        .ok_or(ApiError::InvalidField("token"))?
        .to_owned();
    let consume = match form.one("consume")? {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(ApiError::InvalidField("consume")),
    };
    let purpose = form.one("purpose")?.map(Purpose::parse);
    if purpose == Some(None) {
        return Err(ApiError::InvalidField("purpose"));
    }
    let question = Question {
        token,
        purpose: purpose.flatten(),
        consume,
    };
    let _turn = bulkheads.introspections.enter().await?;
    let step = async move {
        let introspection = &state.introspection;
        let application = client.application();
        introspection.introspect(application, &question).await
    };
    let claims = to_the_end(&drain, step).await??;
    Ok(Json(Introspection {
        active: claims.is_some(),
        claims,
    }))
}
