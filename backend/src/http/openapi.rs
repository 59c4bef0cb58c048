//! The contract: every call of this service in `OpenAPI` 3.1, made of the shared
//! types, for programs and for the page at `/api/docs`.

mod answers;
mod builders;
mod call;
mod calls;
mod failures;
#[cfg(test)]
mod tests;

use countersign_shared::Problem;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, OpenApiVersion, Paths,
        Server,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
        tag::TagBuilder,
    },
};

use crate::http::problem::ApiError;

/// What the calls are sorted by, with a word about each.
const TAGS: [(&str, &str); 5] = [
    ("Verification", "Send a code, send it again, check it."),
    (
        "Proofs",
        "What a verified number is worth to your own server.",
    ),
    (
        "Service",
        "How the service is set up, and whether it is well.",
    ),
    ("Plivo", "For Plivo only."),
    (
        "Sandbox",
        "There in sandbox only, where nothing is really sent.",
    ),
];

const DESCRIPTION: &str = "Countersign verifies phone numbers: it sends a one-time code by SMS, \
    voice or WhatsApp, checks the answer, and gives a signed proof that your own server can trust.\n\n\
    Requests name only the fields below, each once, and are at most 4 KiB. Times are RFC 3339 in \
    UTC; durations are whole seconds. Every GET but the stream takes HEAD too. Every failure is \
    `application/problem+json` (RFC 9457): branch on its `code`; texts may change. Any other path \
    is 404 `not_found`, any other method 405 `method_not_allowed` with the header `Allow`.";

/// The whole document. In sandbox there is more to call.
pub fn document(is_sandbox: bool) -> OpenApi {
    let mut paths = Paths::new();
    let mut components = ComponentsBuilder::new();
    let mut called = calls::all(is_sandbox);
    if is_sandbox {
        called.push(calls::sandbox_messages());
    }
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    let mut failed = vec![ApiError::NotFound, ApiError::MethodNotAllowed("GET, HEAD")];
    for call in called {
        schemas.extend(call.schemas);
        failed.extend(call.failures);
        paths.add_path_operation(call.path, vec![call.method], call.operation);
    }
    components = components.schemas_from_iter(schemas);
    for error in &failed {
        components = components.example(failures::name(error), failures::example(error));
    }
    for (name, error) in [
        ("NotFound", ApiError::NotFound),
        ("MethodNotAllowed", ApiError::MethodNotAllowed("GET, HEAD")),
    ] {
        for (_, response) in failures::responses(&[error]) {
            components = components.response(name, response);
        }
    }
    for (name, scheme) in call::SECURITY_SCHEMES {
        let about = match scheme {
            HttpAuthScheme::Bearer => "An application's key, as `countersign --new-key` prints it.",
            _ => "The application's id, and its key as the password.",
        };
        let scheme = HttpBuilder::new().scheme(scheme).description(Some(about));
        components = components.security_scheme(name, SecurityScheme::Http(scheme.build()));
    }
    let tags = TAGS
        .iter()
        .filter(|(name, _)| is_sandbox || *name != "Sandbox");
    let tags = tags.map(|(name, about)| {
        TagBuilder::new()
            .name(*name)
            .description(Some(*about))
            .build()
    });
    OpenApiBuilder::new()
        .openapi(OpenApiVersion::Version31)
        .info(
            InfoBuilder::new()
                .title("Countersign")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION))
                .license(Some(license())),
        )
        .servers(Some([Server::new("/")]))
        .tags(Some(tags))
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

fn license() -> License {
    let mut license = License::new("GPL-3.0-or-later");
    license.identifier = Some("GPL-3.0-or-later".to_owned());
    license
}
