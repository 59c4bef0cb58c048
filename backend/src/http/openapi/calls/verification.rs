//! Verification itself.

use super::{
    APPLICATION, BODY, CALLER, CHANNEL, DONE, END_USER, KEY, NUMBER, NUMBER_TYPE, READER, SESSION,
    STORE, UPSTREAM,
};
use crate::http::openapi::answers;
use crate::http::openapi::builders::{always, answer, content, header_parameter, leads_to, text};
use crate::http::openapi::call::{Call, Description, KeyIs};
use crate::http::problem::ApiError::{self, InvalidField};
use crate::verification::Refusal;
use countersign_core::SessionOver::{Expired, NotFound};
use countersign_shared as shared;
use countersign_shared::Channel;
use countersign_shared::page::{PageRequest, PageResponse};
use countersign_shared::resend::ResendRequest;
use countersign_shared::send::{SendRequest, SendResponse};
use countersign_shared::session::SessionResponse;
use countersign_shared::verify::{VerifyRequest, VerifyResponse};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::{HttpMethod, ObjectBuilder, Ref};

/// A field that calls share.
const SESSION_UUID: (&str, &str) = ("session_uuid", "session_uuid");

pub(super) fn send() -> Call {
    let tag = "Verification";
    let fields: &[ApiError] = &[
        InvalidField("recipient"),
        InvalidField("locale"),
        InvalidField("nonce"),
        InvalidField("purpose"),
        InvalidField("application"),
        InvalidField("return_to"),
        InvalidField("embed"),
    ];
    Description::new(
        HttpMethod::Post,
        shared::send::PATH,
        tag,
        "send",
        "Send a code",
    )
    .about(
        "Starts a session and sends its first code. The digits that are sent are the digits \
             that were given, less a zero right after the calling code as in `+44 (0)20 …`.",
    )
    .with_idempotency_key()
    .takes::<SendRequest>(&answers::send_requests())
    .answers_one_of::<SendResponse, PageResponse>(
        "A code is on its way; or with `page`, the address where the person asks for it.",
        (
            ("sent", answers::sent(Channel::Sms)),
            ("a_page", answers::page()),
        ),
        &[
            leads_to("verify", "Check the code.", &[SESSION_UUID]),
            leads_to("resend", "Send it once more.", &[SESSION_UUID]),
            (
                "session",
                utoipa::openapi::link::LinkBuilder::new()
                    .operation_id("session")
                    .description("Look at the session.")
                    .parameter("session_uuid", "$response.body#/session_uuid")
                    .build(),
            ),
        ],
    )
    .with_key(KeyIs::Possible)
    .fails(&[
        BODY,
        KEY,
        fields,
        END_USER,
        CHANNEL,
        NUMBER,
        CALLER,
        APPLICATION,
        UPSTREAM,
        STORE,
    ])
}

pub(super) fn resend() -> Call {
    let tag = "Verification";
    let kind: &[ApiError] = &[NUMBER_TYPE];
    let number: &[ApiError] = &NUMBER[..2];
    Description::new(
        HttpMethod::Post,
        shared::resend::PATH,
        tag,
        "resend",
        "Send it again",
    )
    .about(
        "Delivers the same code of the same session once more. It refills nothing: not the \
             time, not the checks.",
    )
    .with_idempotency_key()
    .takes::<ResendRequest>(&answers::resend_requests())
    .answers::<SendResponse>(
        "The code is on its way once more.",
        &[("sent", answers::sent(Channel::Voice))],
        &[leads_to("verify", "Check the code.", &[SESSION_UUID])],
    )
    .with_key(KeyIs::Possible)
    .fails(&[
        BODY,
        KEY,
        SESSION,
        END_USER,
        CHANNEL,
        number,
        kind,
        DONE,
        CALLER,
        APPLICATION,
        UPSTREAM,
        STORE,
    ])
}

pub(super) fn verify() -> Call {
    let tag = "Verification";
    let otp: &[ApiError] = &[
        InvalidField("otp"),
        ApiError::Refused(Refusal::OtpLength { expected: 6 }),
        ApiError::Refused(Refusal::OtpIncorrect { checks_left: 4 }),
        ApiError::Refused(Refusal::OtpIncorrect { checks_left: 0 }),
    ];
    Description::new(
        HttpMethod::Post,
        shared::verify::PATH,
        tag,
        "verify",
        "Check a code",
    )
    .about(
        "The right code succeeds once. A wrong one uses up a check; one of another length \
             does not.",
    )
    .with_idempotency_key()
    .takes::<VerifyRequest>(&answers::verify_requests())
    .answers::<VerifyResponse>(
        "The code was right. The proof is for your own server.",
        &[("verified", answers::verified())],
        &[leads_to(
            "introspect",
            "Ask about the proof.",
            &[("token", "proof")],
        )],
    )
    .with_key(KeyIs::Possible)
    .fails(&[
        BODY,
        KEY,
        SESSION,
        otp,
        END_USER,
        DONE,
        CALLER,
        APPLICATION,
        UPSTREAM,
        STORE,
    ])
}

pub(super) fn page_send() -> Call {
    let fields: &[ApiError] = &[InvalidField("page"), InvalidField("locale")];
    let over: &[ApiError] = &[
        ApiError::Refused(Refusal::Over(NotFound)),
        ApiError::Refused(Refusal::Over(Expired)),
    ];
    Description::new(
        HttpMethod::Post,
        shared::page::PATH,
        "Verification",
        "page_send",
        "Send a page's code",
    )
    .about(
        "What our page does when the person presses its button: sends the one code of a page \
             that an application's server began with `page`. The number is masked.",
    )
    .with_idempotency_key()
    .takes::<PageRequest>(&answers::page_requests())
    .answers::<SendResponse>(
        "A code is on its way.",
        &[("sent", answers::sent(Channel::Sms))],
        &[leads_to("verify", "Check the code.", &[SESSION_UUID])],
    )
    .with_key(KeyIs::Possible)
    .fails(&[
        BODY,
        KEY,
        fields,
        over,
        CHANNEL,
        NUMBER,
        CALLER,
        APPLICATION,
        UPSTREAM,
        STORE,
    ])
}

pub(super) fn session() -> Call {
    let path = format!("{}/{{session_uuid}}", shared::session::PATH);
    Description::new(
        HttpMethod::Get,
        path,
        "Verification",
        "session",
        "Look at a session",
    )
    .about("The session as its holder may see it, for instance after a reload.")
    .of_session()
    .answers::<SessionResponse>("How it stands.", &answers::sessions(), &[])
    .fails(&[SESSION, READER, STORE])
}

pub(super) fn events() -> Call {
    let path = format!(
        "{}/{{session_uuid}}{}",
        shared::session::PATH,
        shared::session::EVENTS
    );
    let [(_, session), _] = answers::sessions();
    // Before OpenAPI 3.2 the schema of a stream is that of each event in it.
    let data = text()
        .description(Some("The session, as JSON."))
        .content_media_type("application/json")
        .content_schema(Some(Ref::from_schema_name(SessionResponse::name())));
    let event = ObjectBuilder::new()
        .property("id", text().description(Some("For `Last-Event-ID`.")))
        .required("id")
        .property("event", text().enum_values(Some(["session"])))
        .required("event")
        .property("data", data)
        .required("data");
    let example = json!({
        "id": "5f1d7a84e0c2b396",
        "event": "session",
        "data": crate::http::openapi::builders::json(&session).to_string(),
    });
    let stream = answer("The session now, and each change of it.")
        .header(
            "X-Accel-Buffering",
            always("Keeps a proxy from collecting.", text()),
        )
        .content(
            "text/event-stream",
            content(event.into(), [("delivered", example)]),
        );
    Description::new(
        HttpMethod::Get,
        path,
        "Verification",
        "events",
        "Watch a session",
    )
    .about(
        "Server-sent events (the HTML standard): one at the start and one for each change, a \
             comment every five seconds in between. It ends when the session is verified, \
             exhausted or over, and after ten minutes; browsers come back by themselves.",
    )
    .of_session()
    .parameter(header_parameter(
        "Last-Event-ID",
        "What was seen last; it is not told again.",
        text(),
    ))
    .answers_with("200", stream.build())
    .answers_with(
        "204",
        answer("`Last-Event-ID` is the end of the session: nothing more will come.").build(),
    )
    .fails(&[SESSION, READER, STORE])
}
