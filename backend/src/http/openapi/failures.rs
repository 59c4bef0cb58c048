//! The failures of the OpenAPI document: the very problems that are answered, so that no
//! example can be another. Each handler names its own by [`failures!`].

use std::collections::BTreeMap;

use countersign_shared::{Problem, problem::CONTENT_TYPE};
use utoipa::{
    ToSchema,
    openapi::{
        ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type,
        example::{Example, ExampleBuilder},
    },
};

use super::{always, json, sometimes, text};
use crate::{http::problem::ApiError, verification::Refusal};

/// Makes a type for the `responses` of a handler, of groups of failures.
macro_rules! failures {
    ($name:ident: $($group:expr),* $(,)?) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::Response>,
            > {
                $crate::http::openapi::failures::responses(&[$($group),*])
            }
        }
    };
}
pub(in crate::http) use failures;

const WAIT: &str = "Whole seconds to wait; equal to `retry_after`.";

/// What names an example of it: its code, and what makes it another one.
fn name(error: &ApiError) -> String {
    let code = error.problem().code.as_str();
    match error {
        ApiError::InvalidField(field) => format!("{code}.{field}"),
        ApiError::Ending => format!("{code}.ending"),
        ApiError::NoForm => format!("{code}.form"),
        ApiError::Refused(Refusal::OtpLength { .. }) => format!("{code}.otp_length"),
        ApiError::Refused(Refusal::OtpIncorrect { checks_left: 0 }) => format!("{code}.last"),
        _ => code.to_owned(),
    }
}

/// The problem as it is answered.
fn example(error: &ApiError) -> Example {
    let problem = Problem {
        request_id: Some("11df34f8cc137857".to_owned()),
        ..error.problem()
    };
    ExampleBuilder::new()
        .summary(problem.title.clone())
        .value(Some(json(&problem)))
        .build()
}

/// One response for each status. A panic costs its request, whichever it is.
pub(in crate::http) fn responses(groups: &[&[ApiError]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<String, Vec<ApiError>> = BTreeMap::new();
    for error in groups
        .iter()
        .copied()
        .flatten()
        .chain([&ApiError::Internal])
    {
        let status = error.problem().status.to_string();
        by_status.entry(status).or_default().push(*error);
    }
    by_status
        .into_iter()
        .map(|(status, errors)| (status, response(&errors).into()))
        .collect()
}

/// The response with these failures, its examples in it: `complete` moves them to where
/// they are kept once.
pub(super) fn response(errors: &[ApiError]) -> Response {
    let problems: Vec<Problem> = errors.iter().map(ApiError::problem).collect();
    let mut titles: Vec<&str> = problems.iter().map(|problem| &*problem.title).collect();
    titles.dedup();
    let examples = errors.iter().map(|error| (name(error), example(error)));
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(Problem::name())))
        .examples_from_iter(examples);
    let mut response = ResponseBuilder::new()
        .description(titles.join(", or: "))
        .content(CONTENT_TYPE, content.build());
    let waits = problems
        .iter()
        .filter(|it| it.retry_after.is_some())
        .count();
    let seconds = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1));
    if waits == problems.len() {
        response = response.header("Retry-After", always(WAIT, seconds));
    } else if waits > 0 {
        response = response.header("Retry-After", sometimes(WAIT, seconds));
    }
    if problems.iter().any(|problem| problem.status == 401) {
        let way = always("How to come with a key.", text());
        response = response.header("WWW-Authenticate", way);
    }
    if problems.iter().any(|problem| problem.status == 405) {
        let methods = always("The methods that the path knows.", text());
        response = response.header("Allow", methods);
    }
    response.build()
}
