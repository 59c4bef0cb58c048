//! Every call, in the order a reader meets them.

use std::time::Duration;

use countersign_core::{
    RefusalRule,
    SessionOver::{AlreadyVerified, ChecksExhausted, Expired, NotFound},
};
use countersign_shared::{
    self as shared, Channel,
    config::ConfigResponse,
    page::{PageRequest, PageResponse},
    proof::Introspection,
    resend::ResendRequest,
    send::{SendRequest, SendResponse},
    session::SessionResponse,
    verify::{VerifyRequest, VerifyResponse},
};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, ContentBuilder, HttpMethod, ObjectBuilder, Ref, RefOr, Required, Schema,
        Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{KnownFormat, SchemaFormat},
    },
};

use super::{
    answers,
    builders::{always, answer, content, header_parameter, leads_to, text},
    call::{Call, Description, KeyIs},
    page,
};
use crate::{
    http::{
        paths,
        problem::{
            ApiError::{self, InvalidField},
            Challenge,
        },
    },
    verification::Refusal,
};

/// Waits as they are usual.
const SOON: Duration = Duration::from_secs(25);
const MOMENT: Duration = Duration::from_secs(5);

/// What any JSON body may have wrong.
const BODY: &[ApiError] = &[
    ApiError::InvalidBody,
    ApiError::TooSlow,
    ApiError::TooLarge,
    ApiError::UnsupportedMediaType,
];
/// What any form may have wrong.
const FORM: &[ApiError] = &[ApiError::TooSlow, ApiError::TooLarge, ApiError::NoForm];
/// Who may not call.
const CALLER: &[ApiError] = &[
    ApiError::OriginNotAllowed,
    ApiError::Refused(Refusal::RateLimited {
        rule: RefusalRule::RequestsPerAddress,
        retry_after: SOON,
    }),
];
/// What may be wrong with an application's key.
const APPLICATION: &[ApiError] = &[
    ApiError::Unauthorized(Challenge::Bearer),
    ApiError::KeyFromBrowser,
];
/// What a server says of whom it calls for.
const END_USER: &[ApiError] = &[
    InvalidField("end_user.address"),
    InvalidField("end_user.id"),
];
/// Who may not read, for now: pages of other sites may.
const READER: &[ApiError] = &[ApiError::Refused(Refusal::RateLimited {
    rule: RefusalRule::RequestsPerAddress,
    retry_after: SOON,
})];
/// What a key may be wrong for.
const KEY: &[ApiError] = &[
    InvalidField("Idempotency-Key"),
    ApiError::Refused(Refusal::RequestUnderWay),
    ApiError::Refused(Refusal::IdempotencyKeyReused),
];
const SESSION: &[ApiError] = &[
    InvalidField("session_uuid"),
    ApiError::Refused(Refusal::Over(NotFound)),
    ApiError::Refused(Refusal::Over(Expired)),
];
const DONE: &[ApiError] = &[
    ApiError::Refused(Refusal::Over(AlreadyVerified)),
    ApiError::Refused(Refusal::Over(ChecksExhausted)),
];
const STORE: &[ApiError] = &[ApiError::Refused(Refusal::TemporarilyUnavailable {
    retry_after: MOMENT,
})];
const ENDING: &[ApiError] = &[ApiError::Ending];
const UPSTREAM: &[ApiError] = &[
    ApiError::Refused(Refusal::UpstreamError),
    ApiError::Refused(Refusal::UpstreamTimeout),
];
const NUMBER_TYPE: ApiError = ApiError::Refused(Refusal::NumberTypeNotAllowed {
    other_channel: true,
});
const NUMBER: &[ApiError] = &[
    ApiError::Refused(Refusal::RecipientInvalid),
    ApiError::Refused(Refusal::CountryNotAllowed),
    NUMBER_TYPE,
];
const CHANNEL: &[ApiError] = &[
    InvalidField("channel"),
    ApiError::Refused(Refusal::ChannelNotAvailable),
];

pub(super) fn all(is_sandbox: bool) -> Vec<Call> {
    vec![
        send(),
        resend(),
        verify(),
        page_send(),
        session(),
        events(),
        introspect(is_sandbox),
        keys(),
        config(),
        health("/healthz", "live", "Whether the process runs", "ok").fails(&[]),
        health("/readyz", "ready", "Whether the process can serve", "ready")
            .fails(&[STORE, ENDING]),
        openapi(),
        docs(),
        docs_file(),
        page_failure(),
        callback(HttpMethod::Post),
        callback(HttpMethod::Get),
    ]
}

fn send() -> Call {
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

/// A field that calls share.
const SESSION_UUID: (&str, &str) = ("session_uuid", "session_uuid");

fn resend() -> Call {
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

fn verify() -> Call {
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

fn page_send() -> Call {
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

fn session() -> Call {
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

fn events() -> Call {
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
        "data": super::builders::json(&session).to_string(),
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

fn introspect(is_sandbox: bool) -> Call {
    let path = shared::proof::INTROSPECT_PATH;
    let form = ObjectBuilder::new()
        .property(
            "token",
            text().description(Some("The proof.")).min_length(Some(1)),
        )
        .required("token")
        .property(
            "consume",
            text()
                .description(Some("`true` spends the proof by asking."))
                .enum_values(Some(["true", "false"])),
        );
    let fields: &[ApiError] = &[InvalidField("token"), InvalidField("consume")];
    Description::new(
        HttpMethod::Post,
        path,
        "Proofs",
        "introspect",
        "Ask about a proof",
    )
    .about(
        "By your own server, with its key (RFC 7662). A proof that was spent, or is for another \
             application, is inactive. A sandbox without keys answers anybody.",
    )
    .with_key(if is_sandbox {
        KeyIs::Possible
    } else {
        KeyIs::Required
    })
    .takes_as(
        "application/x-www-form-urlencoded",
        form.into(),
        [
            ("ask", json!({"token": answers::PROOF})),
            ("spend", json!({"token": answers::PROOF, "consume": "true"})),
        ],
    )
    .answers::<Introspection>("What is known of it.", &answers::introspections(), &[])
    .fails(&[FORM, fields, CALLER, APPLICATION, STORE, &UPSTREAM[1..]])
}

fn keys() -> Call {
    let path = shared::proof::KEYS_PATH;
    let key = ["kty", "crv", "x", "kid", "alg", "use"]
        .into_iter()
        .fold(ObjectBuilder::new(), |key, name| {
            key.property(name, text()).required(name)
        });
    let keys = ObjectBuilder::new()
        .property("keys", ArrayBuilder::new().items(key))
        .required("keys");
    let example = json!({"keys": [{
        "use": "sig",
        "alg": "EdDSA",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    }]});
    let answer = answer("The keys, for five minutes at a time.")
        .header(
            "Cache-Control",
            always("How long they may be kept.", text()),
        )
        .content("application/json", content(keys.into(), [("one", example)]));
    Description::new(
        HttpMethod::Get,
        path,
        "Proofs",
        "keys",
        "Read the public keys",
    )
    .about("What proofs are checked with (RFC 7517). During a rotation there are two.")
    .answers_with("200", answer.build())
    .fails(&[])
}

fn config() -> Call {
    let path = shared::config::PATH;
    let mut call = Description::new(
        HttpMethod::Get,
        path,
        "Service",
        "config",
        "Read how it is set up",
    );
    let schema = call.needs::<ConfigResponse>();
    let example = super::builders::json(&answers::config());
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

fn health(path: &str, id: &str, summary: &str, word: &str) -> Description {
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

fn openapi() -> Call {
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

fn docs() -> Call {
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

fn docs_file() -> Call {
    let mut found = answer("The file.");
    for file in page::FILES {
        let content = ContentBuilder::new().schema(Some(text())).build();
        found = found.content(file.content_type, content);
    }
    let names = page::FILES.iter().map(|file| file.name);
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

fn page_failure() -> Call {
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

fn callback(method: HttpMethod) -> Call {
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
    let refused: &[ApiError] = &[ApiError::NotFound, ApiError::CallbackRefused];
    call.fails(&[form, refused, STORE])
}

/// What the pretend phones received.
pub(super) fn sandbox_messages() -> Call {
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

fn path_parameter(name: &str, schema: RefOr<Schema>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
        .build()
}
