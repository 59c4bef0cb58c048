//! The contract's failures: the very problems that are answered, so that no
//! example can be another.

use std::collections::BTreeMap;

use countersign_shared::{Problem, problem::CONTENT_TYPE};
use utoipa::{
    ToSchema,
    openapi::{
        ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type,
        example::{Example, ExampleBuilder},
    },
};

use super::builders::{always, json, request_id, sometimes, text};
use crate::{http::problem::ApiError, verification::Refusal};

const WAIT: &str = "Whole seconds to wait; equal to `retry_after`.";

/// What names an example of it: its code, and what makes it another one.
pub(super) fn name(error: &ApiError) -> String {
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
pub(super) fn example(error: &ApiError) -> Example {
    let problem = Problem {
        request_id: Some("11df34f8cc137857".to_owned()),
        ..error.problem()
    };
    ExampleBuilder::new()
        .summary(problem.title.clone())
        .value(Some(json(&problem)))
        .build()
}

/// One response for each status.
pub(super) fn responses(errors: &[ApiError]) -> BTreeMap<u16, Response> {
    let mut by_status: BTreeMap<u16, Vec<ApiError>> = BTreeMap::new();
    for error in errors {
        by_status
            .entry(error.problem().status)
            .or_default()
            .push(*error);
    }
    by_status
        .into_iter()
        .map(|(status, errors)| (status, response(&errors)))
        .collect()
}

fn response(errors: &[ApiError]) -> Response {
    let problems: Vec<Problem> = errors.iter().map(ApiError::problem).collect();
    let mut titles: Vec<&str> = problems.iter().map(|problem| &*problem.title).collect();
    titles.dedup();
    let examples = errors.iter().map(|error| {
        let name = name(error);
        let place = format!("#/components/examples/{name}");
        (name, RefOr::<Example>::Ref(Ref::new(place)))
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(Problem::name())))
        .examples_from_iter(examples);
    let mut response = ResponseBuilder::new()
        .description(titles.join(", or: "))
        .header("X-Request-Id", request_id())
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
