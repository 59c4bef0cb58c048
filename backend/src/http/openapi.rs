//! The OpenAPI document: what the handlers say of themselves (`#[utoipa::path]`, listed in
//! `routes.rs`), and what holds for all of them.

pub(super) mod examples;
pub(super) mod failures;
pub(super) mod groups;
pub(super) mod schemas;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;
use utoipa::{
    IntoParams, OpenApi as _,
    openapi::{
        Components, Header, ObjectBuilder, OpenApi, OpenApiVersion, PathItem, RefOr, Required,
        Response, Schema, Type,
        example::Example,
        extensions::Extensions,
        header::HeaderBuilder,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{extract::idempotency_key::IdempotencyKey, problem::ApiError, routes};

/// The whole document. In sandbox there is more to call.
pub fn document(is_sandbox: bool) -> OpenApi {
    let mut document = routes::Api::openapi();
    #[cfg(feature = "sandbox")]
    if is_sandbox {
        document.merge(routes::SandboxApi::openapi());
    }
    document.openapi = OpenApiVersion::Version31;
    let components = document.components.get_or_insert_default();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        complete(operation, components);
        if is_sandbox && operation.operation_id.as_deref() == Some("introspect_proof") {
            // A sandbox without keys answers anybody.
            let ways = operation.security.get_or_insert_default();
            ways.insert(0, SecurityRequirement::default());
        }
    }
    for (name, error) in [
        ("NotFound", ApiError::NotFound),
        ("MethodNotAllowed", ApiError::MethodNotAllowed("GET, HEAD")),
    ] {
        let mut response = failures::response(&[error]);
        keep_examples_once(&mut response, components);
        response
            .headers
            .insert("X-Request-Id".to_owned(), request_id().into());
        components
            .responses
            .insert(name.to_owned(), response.into());
    }
    for (name, scheme, about) in [
        (
            "bearer",
            HttpAuthScheme::Bearer,
            "An application's key, as `countersign --new-key` prints it.",
        ),
        (
            "basic",
            HttpAuthScheme::Basic,
            "The application's id, and its key as the password.",
        ),
    ] {
        let scheme = HttpBuilder::new().scheme(scheme).description(Some(about));
        components.add_security_scheme(name, SecurityScheme::Http(scheme.build()));
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post].into_iter().flatten()
}

/// What holds for each operation: the request's id, and where an answer is kept by callers,
/// its tag.
fn complete(operation: &mut Operation, components: &mut Components) {
    if let Some(text) = &mut operation.description {
        // Swagger UI breaks lines where the source does.
        *text = text
            .replace("\n\n", "\0")
            .replace('\n', " ")
            .replace('\0', "\n\n");
    }
    let responses = &mut operation.responses.responses;
    let is_kept = responses.contains_key("304");
    if is_kept {
        operation.parameters.get_or_insert_default().push(
            header_parameter(
                "If-None-Match",
                "The `ETag` of what the caller has.",
                text(),
            )
            .into(),
        );
    }
    for (status, response) in responses {
        let RefOr::T(response) = response else {
            continue;
        };
        if status.starts_with(['2', '3']) {
            for header in response.headers.values_mut() {
                if let RefOr::T(header) = header {
                    header.extensions = Some(required());
                }
            }
        }
        if is_kept && matches!(status.as_str(), "200" | "304") {
            let tag = always("Names what was answered.", text());
            response.headers.insert("ETag".to_owned(), tag.into());
        }
        response
            .headers
            .insert("X-Request-Id".to_owned(), request_id().into());
        keep_examples_once(response, components);
    }
}

/// Moves the examples of failures to the components, where each stands once.
fn keep_examples_once(response: &mut Response, components: &mut Components) {
    let problem = countersign_shared::problem::CONTENT_TYPE;
    let Some(RefOr::T(content)) = response.content.get_mut(problem) else {
        return;
    };
    for (name, example) in &mut content.examples {
        let reference = RefOr::Ref(utoipa::openapi::Ref::new(format!(
            "#/components/examples/{name}"
        )));
        let example: RefOr<Example> = std::mem::replace(example, reference);
        components.examples.insert(name.clone(), example);
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        // Quotes around it are the draft's way to write it; they do not count.
        let key = text().pattern(Some("^\"*[!#-~][!-~]{14,253}[!#-~]\"*$"));
        let said = "Random, such as a UUID; new for each request, the same for its repetitions: the \
                    same key with the same request has one effect and gets the same answer. 16 to \
                    255 visible ASCII characters.";
        vec![header_parameter("Idempotency-Key", said, key)]
    }
}

impl IntoParams for schemas::LastEventId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let said = "What was seen last; it is not told again.";
        vec![header_parameter("Last-Event-ID", said, text())]
    }
}

fn header_parameter(name: &str, said: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(said))
        .schema(Some(schema))
        .build()
}

fn request_id() -> Header {
    always(
        "Finds the request in the server's log.",
        text().pattern(Some("^[0-9a-f]{16}$")),
    )
}

/// A header that the answer always has.
fn always(said: &str, schema: impl Into<RefOr<Schema>>) -> Header {
    let mut header = sometimes(said, schema);
    header.extensions = Some(required());
    header
}

/// A header that the answer may have.
fn sometimes(said: &str, schema: impl Into<RefOr<Schema>>) -> Header {
    HeaderBuilder::new()
        .description(Some(said))
        .schema(Some(schema))
        .build()
}

/// The library has no word for it.
fn required() -> Extensions {
    Extensions::from_iter([("required", true)])
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("plain values are JSON")
}
