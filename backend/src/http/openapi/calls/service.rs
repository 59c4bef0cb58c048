//! The service itself, Plivo's callbacks and the sandbox.

use super::{CALLER, FORM, STORE, path_parameter};
use crate::http::docs;
use crate::http::openapi::answers;
use crate::http::openapi::builders::{answer, content, text};
use crate::http::openapi::call::{Call, Description};
use crate::http::paths;
use crate::http::problem::ApiError::{self, InvalidField};
use countersign_shared as shared;
use countersign_shared::Channel;
use countersign_shared::config::ConfigResponse;
use serde_json::json;
use utoipa::PartialSchema;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, SchemaFormat};
use utoipa::openapi::{
    ArrayBuilder, ContentBuilder, HttpMethod, ObjectBuilder, RefOr, Required, Schema, Type,
};

pub(super) fn config() -> Call {
    let path = shared::config::PATH;
    let mut call = Description::new(
        HttpMethod::Get,
        path,
        "Service",
        "config",
        "Read how it is set up",
    );
    let schema = call.needs::<ConfigResponse>();
    let example = crate::http::openapi::builders::json(&answers::config());
    let answer = answer("What a client needs to draw itself.").content(
        "application/json",
        content(schema.into(), [("two_countries", example)]),
    );
    let parameter = ParameterBuilder::new()
        .name("application")
        .parameter_in(ParameterIn::Query)
        .description(Some("The application's id; the first one when absent."))
        .schema(Some(text()))
        .build();
    call.parameter(parameter)
        .answers_kept(answer)
        .fails(&[&[InvalidField("application")]])
}

pub(super) fn health(path: &str, id: &str, summary: &str, word: &str) -> Description {
    let status = ObjectBuilder::new()
        .property("status", text().enum_values(Some([word])))
        .required("status");
    let answer = answer("Yes.").content(
        "application/json",
        content(status.into(), [("yes", json!({"status": word}))]),
    );
    Description::new(HttpMethod::Get, path, "Service", id, summary)
        .answers_with("200", answer.build())
}

pub(super) fn openapi() -> Call {
    let document = ObjectBuilder::new()
        .property("openapi", text().pattern(Some("^3\\.1\\.")))
        .required("openapi");
    let answer = answer("OpenAPI 3.1.").content(
        "application/json",
        content(document.into(), [("head", json!({"openapi": "3.1.0"}))]),
    );
    Description::new(
        HttpMethod::Get,
        paths::OPENAPI,
        "Service",
        "openapi",
        "Read this document",
    )
    .answers_kept(answer)
    .fails(&[])
}

pub(super) fn docs() -> Call {
    let html = ContentBuilder::new().schema(Some(text())).build();
    let answer = answer("A page.").content("text/html; charset=utf-8", html);
    Description::new(
        HttpMethod::Get,
        paths::DOCS,
        "Service",
        "docs",
        "Read and try it",
    )
    .answers_kept(answer)
    .fails(&[])
}

pub(super) fn docs_file() -> Call {
    let mut found = answer("The file.");
    for file in &docs::FILES {
        let content = ContentBuilder::new().schema(Some(text())).build();
        found = found.content(file.content_type, content);
    }
    let names = docs::FILES.iter().map(|file| file.name);
    Description::new(
        HttpMethod::Get,
        format!("{}/{{file}}", paths::DOCS),
        "Service",
        "docs_file",
        "Read a file of that page",
    )
    .parameter(path_parameter(
        "file",
        text().enum_values(Some(names)).into(),
    ))
    .answers_kept(found)
    .fails(&[&[ApiError::NotFound]])
}

pub(super) fn page_failure() -> Call {
    Description::new(
        HttpMethod::Post,
        paths::PAGE_FAILURES,
        "Service",
        "page_failure",
        "Report that the page's program failed",
    )
    .about("Sent by our own page, once and without data, so that the operator hears of it.")
    .answers_with("204", answer("Counted.").build())
    .fails(&[CALLER])
}

pub(super) fn callback(method: HttpMethod) -> Call {
    let path = format!("{}/{{secret}}", paths::CALLBACK);
    let is_post = matches!(method, HttpMethod::Post);
    let (id, summary, form): (_, _, &[ApiError]) = if is_post {
        ("callback", "Tell how a delivery goes", FORM)
    } else {
        ("callback_by_get", "Tell how a delivery goes, by GET", &[])
    };
    let mut call = Description::new(method, path, "Plivo", id, summary)
        .about(
            "Plivo is told the address with each send, once `PUBLIC_URL` is set. A callback must \
             be signed (V2 or V3) for exactly that address, be younger than two hours and bring a \
             nonce that did not come before.",
        )
        .parameter(path_parameter("secret", text().into()))
        .answers_with("200", answer("Taken.").build());
    if is_post {
        let example = json!({"SessionUUID": answers::SESSION, "Status": "delivered"});
        call = call.takes_as(
            "application/x-www-form-urlencoded",
            ObjectBuilder::new().schema_type(Type::Object).into(),
            [("delivered", example)],
        );
    }
    let refused: &[ApiError] = &[ApiError::NotFound, ApiError::CallbackRejected];
    call.fails(&[form, refused, STORE])
}

/// What the pretend phones received.
pub(in crate::http::openapi) fn sandbox_messages() -> Call {
    let time = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let fields: [(&str, RefOr<Schema>); 5] = [
        ("recipient", text().into()),
        ("channel", Channel::schema()),
        ("otp", text().into()),
        ("text", text().into()),
        ("time", time.into()),
    ];
    let message = fields
        .into_iter()
        .fold(ObjectBuilder::new(), |message, (name, schema)| {
            message.property(name, schema).required(name)
        });
    let messages = ArrayBuilder::new().items(message).build();
    let example = json!([{
        "recipient": answers::RECIPIENT,
        "channel": "sms",
        "otp": answers::OTP,
        "text": format!("{} is your Countersign verification code.", answers::OTP),
        "time": "2026-11-24T09:44:30.987984Z",
    }]);
    let answer = answer("The messages, newest first.").content(
        "application/json",
        content(messages.into(), [("one", example)]),
    );
    Description::new(
        HttpMethod::Get,
        paths::SANDBOX_MESSAGES,
        "Sandbox",
        "sandbox_messages",
        "Read what the pretend phones received",
    )
    .parameter(
        ParameterBuilder::new()
            .name("recipient")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some("Of this number only; its digits count."))
            .schema(Some(text().examples([answers::RECIPIENT])))
            .build(),
    )
    .answers_with("200", answer.build())
    .fails(&[&[InvalidField("recipient")]])
}
