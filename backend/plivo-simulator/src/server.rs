//! The HTTP server: four operations and the price list, their authentication and their answers.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::AUTHORIZATION},
    web::{self, Bytes, Data, ServiceConfig},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Client;
use serde_json::{Map, Value};

use crate::{
    callback::Reporter,
    list,
    outcome::Outcome,
    pricing, random,
    request::{self, CreateRequest},
    settings::AnswerText,
    world::{ReceivedRequest, World},
};

const SESSIONS: &str = "/v1/Account/{auth_id}/Verify/Session/";
const SESSION: &str = "/v1/Account/{auth_id}/Verify/Session/{session_uuid}/";
const PRICING: &str = "/v1/Account/{auth_id}/Pricing/";
/// Plivo's response without credentials, verbatim.
const UNAUTHORIZED: &str =
    "Could not verify your access level for that URL.\nYou have to login with proper credentials";

pub(crate) fn configure(config: &mut ServiceConfig) {
    let refuse = || web::to(async || refusal(&AnswerText::new(405, "method not allowed")));
    config
        .service(
            web::resource(SESSIONS)
                .route(web::post().to(create))
                .route(web::get().to(list))
                .default_service(refuse()),
        )
        .service(
            web::resource(SESSION)
                .route(web::post().to(validate))
                .route(web::get().to(retrieve))
                .default_service(refuse()),
        )
        .service(
            web::resource(PRICING)
                .route(web::get().to(pricing))
                .default_service(refuse()),
        )
        .route("/_messages", web::get().to(messages))
        .default_service(web::to(async || {
            refusal(&AnswerText::new(404, "not found"))
        }));
}

async fn create(
    world: Data<World>,
    http: Data<Client>,
    request: HttpRequest,
    body: Bytes,
) -> HttpResponse {
    if let Some(answer) = refused(&world, &request, &body) {
        return answer;
    }
    world.lock().calls.create += 1;
    let create = match read(&body)
        .and_then(|body| CreateRequest::read(&body).map_err(|text| AnswerText::new(400, text)))
    {
        Ok(create) => create,
        Err(text) => return refusal(&text),
    };
    match Outcome::of(&create.recipient) {
        Outcome::InsufficientCredit => refusal(&AnswerText::new(400, "Insufficient Credit")),
        Outcome::GeoRefused => refusal(&AnswerText::new(
            403,
            "country is not enabled for this account",
        )),
        Outcome::Throttled => refusal(&AnswerText::new(429, "too many requests")),
        Outcome::ServerError => refusal(&AnswerText::new(500, "internal server error")),
        Outcome::Silent => std::future::pending().await,
        Outcome::Garbage => HttpResponse::Ok()
            .content_type("text/html")
            .body("<!doctype html><title>Bad gateway</title>"),
        _ => created(&world, &http, &request, &create),
    }
}

fn created(
    world: &Data<World>,
    http: &Data<Client>,
    request: &HttpRequest,
    create: &CreateRequest,
) -> HttpResponse {
    let requestor_ip = request
        .peer_addr()
        .map_or_else(String::new, |peer| peer.ip().to_string());
    match world.create(create, requestor_ip) {
        Err(text) => refusal(&text),
        Ok(made) => {
            let session_id = match Outcome::of(&create.recipient) {
                Outcome::SharedSession => world.session_of_another(&create.recipient),
                _ => None,
            };
            let session_id = session_id.unwrap_or_else(|| made.session_id.clone());
            let reporter = Reporter::new(Arc::clone(world), http.get_ref().clone(), create, made);
            if let Some(reporter) = reporter {
                actix_web::rt::spawn(reporter.run());
            }
            let mut body = world.settings.created.body();
            body["session_uuid"] = session_id.into();
            answer(world.settings.created.status, body)
        }
    }
}

async fn validate(world: Data<World>, request: HttpRequest, body: Bytes) -> HttpResponse {
    if let Some(answer) = refused(&world, &request, &body) {
        return answer;
    }
    world.lock().calls.validate += 1;
    let id = session_id(&request);
    let outcome = world.with_session(id, |session, _| Outcome::of(&session.recipient));
    let checked = read(&body).and_then(|body| world.validate(id, &body));
    let message = match (outcome, &checked) {
        (Some(Outcome::UnknownText), _) => "request processed",
        (Some(Outcome::AlreadyValidated), _) => "session already validated",
        (Some(Outcome::RefusalWith200), Err(_)) => "The passcode entered is incorrect.",
        (Some(Outcome::NoFullStop), Ok(())) => "session validated successfully",
        (_, Ok(())) => &world.settings.validated.text,
        (_, Err(text)) => return refusal(text),
    };
    let status = match checked {
        Ok(()) => world.settings.validated.status,
        Err(_) => 200,
    };
    let mut body = AnswerText::new(status, message).body();
    if outcome == Some(Outcome::OtherSession) {
        body["session_uuid"] = random::uuid().into();
    }
    answer(status, body)
}

async fn retrieve(world: Data<World>, request: HttpRequest, body: Bytes) -> HttpResponse {
    if let Some(answer) = refused(&world, &request, &body) {
        return answer;
    }
    world.lock().calls.retrieve += 1;
    match world.retrieve(session_id(&request)) {
        Ok(session) => answer(200, Value::Object(session)),
        Err(text) => refusal(&text),
    }
}

async fn list(world: Data<World>, request: HttpRequest, body: Bytes) -> HttpResponse {
    if let Some(answer) = refused(&world, &request, &body) {
        return answer;
    }
    world.lock().calls.list += 1;
    if !world.admits_list() {
        return refusal(&AnswerText::new(429, "too many requests"));
    }
    match list::page(&world, request.path(), request.query_string()) {
        Ok(page) => answer(200, page),
        Err(text) => refusal(&AnswerText::new(400, text)),
    }
}

/// Handles the price list of a country.
async fn pricing(world: Data<World>, request: HttpRequest, body: Bytes) -> HttpResponse {
    if let Some(answer) = refused(&world, &request, &body) {
        return answer;
    }
    let query = request.query_string().as_bytes();
    let country = url::form_urlencoded::parse(query).find(|(name, _)| name == "country_iso");
    match country.and_then(|(_, code)| pricing::of_country(&code)) {
        Some(prices) => answer(200, prices),
        None => refusal(&AnswerText::new(400, "country_iso is invalid")),
    }
}

/// Lists the messages on the pretend phones. Not part of Plivo.
async fn messages(world: Data<World>, request: HttpRequest) -> HttpResponse {
    let digits = |text: &str| {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    let query = request.query_string().as_bytes();
    let wanted = url::form_urlencoded::parse(query)
        .find(|(name, _)| name == "recipient")
        .map(|(_, value)| digits(&value));
    let mut messages = world.messages();
    messages.retain(|message| {
        wanted
            .as_ref()
            .is_none_or(|wanted| digits(&message.recipient) == *wanted)
    });
    HttpResponse::Ok().json(messages)
}

/// Records the request, and refuses it if the account is unauthorised or throttled.
fn refused(world: &World, request: &HttpRequest, body: &[u8]) -> Option<HttpResponse> {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    world.received(ReceivedRequest {
        method: request.method().to_string(),
        path: request.uri().to_string(),
        content_type: header("content-type"),
        body: String::from_utf8_lossy(body).into_owned(),
    });
    let settings = &world.settings;
    let credentials = format!("{}:{}", settings.auth_id, settings.auth_token);
    let expected = format!("Basic {}", BASE64_STANDARD.encode(credentials));
    let known = header(AUTHORIZATION.as_str()).is_some_and(|given| given == expected);
    if !known || request.match_info().get("auth_id") != Some(&settings.auth_id) {
        return Some(
            HttpResponse::Unauthorized()
                .content_type("text/plain")
                .body(UNAUTHORIZED),
        );
    }
    (!world.admits_request()).then(|| refusal(&AnswerText::new(429, "too many requests")))
}

fn session_id(request: &HttpRequest) -> &str {
    request.match_info().get("session_uuid").unwrap_or_default()
}

fn read(body: &[u8]) -> Result<Map<String, Value>, AnswerText> {
    request::object(body).ok_or_else(|| AnswerText::new(400, "invalid JSON"))
}

fn refusal(text: &AnswerText) -> HttpResponse {
    answer(text.status, text.body())
}

/// Every response has its own id.
fn answer(status: u16, mut body: Value) -> HttpResponse {
    body["api_id"] = random::uuid().into();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).json(body)
}
