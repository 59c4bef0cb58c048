//! Short ways to write parts of the document.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{
    ContentBuilder, Header, ObjectBuilder, RefOr, Required, ResponseBuilder, Schema, Type,
    example::ExampleBuilder,
    extensions::Extensions,
    header::HeaderBuilder,
    link::LinkBuilder,
    path::{Parameter, ParameterBuilder, ParameterIn},
};

/// A step that an answer leads to.
pub(super) type Link = (&'static str, utoipa::openapi::link::Link);

/// The call `id`, with these fields of the answer in its body.
pub(super) fn leads_to(id: &'static str, said: &str, body: &[(&str, &str)]) -> Link {
    let body: BTreeMap<_, _> = body
        .iter()
        .map(|(field, from)| (*field, format!("$response.body#/{from}")))
        .collect();
    let link = LinkBuilder::new()
        .operation_id(id)
        .description(said)
        .request_body(Some(json(&body)));
    (id, link.build())
}

/// An answer that is no failure.
pub(super) fn answer(said: &str) -> ResponseBuilder {
    ResponseBuilder::new()
        .description(said)
        .header("X-Request-Id", request_id())
}

pub(super) fn content<'a>(
    schema: RefOr<Schema>,
    examples: impl IntoIterator<Item = (&'a str, Value)>,
) -> utoipa::openapi::Content {
    let examples = examples
        .into_iter()
        .map(|(name, value)| (name, ExampleBuilder::new().value(Some(value))));
    ContentBuilder::new()
        .schema(Some(schema))
        .examples_from_iter(examples)
        .build()
}

pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(super) fn header_parameter(
    name: &str,
    said: &str,
    schema: impl Into<RefOr<Schema>>,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(said))
        .schema(Some(schema))
        .build()
}

/// A header that the answer always has.
pub(super) fn always(said: &str, schema: impl Into<RefOr<Schema>>) -> Header {
    HeaderBuilder::new()
        .description(Some(said))
        .schema(Some(schema))
        // The library has no word for it.
        .extensions(Some(Extensions::from_iter([("required", true)])))
        .build()
}

/// A header that the answer may have.
pub(super) fn sometimes(said: &str, schema: impl Into<RefOr<Schema>>) -> Header {
    HeaderBuilder::new()
        .description(Some(said))
        .schema(Some(schema))
        .build()
}

pub(super) fn request_id() -> Header {
    always(
        "Finds the request in the server's log.",
        text().pattern(Some("^[0-9a-f]{16}$")),
    )
}

pub(super) fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("plain values are JSON")
}
