use std::collections::BTreeSet;

use countersign_shared::{
    ErrorCode, Problem,
    config::ConfigResponse,
    page::{PageRequest, PageResponse},
    proof::Introspection,
    resend::ResendRequest,
    send::{SendRequest, SendResponse},
    session::SessionResponse,
    verify::{VerifyRequest, VerifyResponse},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use validator::Validate;

use crate::http::{
    middleware::rate_limit::{RateLimit, RateLimits},
    routes,
};

fn document(is_sandbox: bool) -> Value {
    serde_json::to_value(super::document(is_sandbox)).unwrap()
}

/// Every operation: its method, its path and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().clone().into_iter();
        let path = path.clone();
        methods.map(move |(method, operation)| (method, path.clone(), operation))
    };
    paths.into_iter().flat_map(of_path).collect()
}

/// What a reference leads to, or the value itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(place) => document.pointer(place.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// Every example of a body: the name of its schema, and itself.
fn examples(document: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (_, _, operation) in operations(document) {
        let responses = operation["responses"].as_object().unwrap().values();
        let bodies = responses.chain([&operation["requestBody"]]);
        for content in bodies.filter_map(|body| body["content"].as_object()) {
            for (media_type, content) in content {
                let schema = content["schema"]["$ref"].as_str().unwrap_or_default();
                let name = schema.rsplit('/').next().unwrap_or_default();
                let there = content["examples"].as_object();
                let free = [
                    "text/html",
                    "text/css",
                    "text/javascript",
                    "image/svg+xml",
                    "text/markdown",
                    "text/plain",
                ];
                assert!(
                    there.is_some() || free.iter().any(|it| media_type.starts_with(it)),
                    "{media_type} of {} has no example",
                    operation["operationId"]
                );
                for example in there.into_iter().flatten() {
                    let value = resolved(document, example.1)["value"].clone();
                    all.push((name.to_owned(), value));
                }
            }
        }
    }
    all
}

#[test]
fn the_document_names_each_route_and_no_other() {
    let mut listed = Vec::new();
    let _ = actix_web::App::new().configure(|config| {
        let off = || RateLimit::by_address(None);
        let limits = RateLimits {
            requests: off(),
            introspections: off(),
            reads: off(),
            applications: RateLimit::by_application(None),
        };
        listed = routes::register(config, &limits);
    });
    // HEAD is GET without the body: the document says so once.
    let there: BTreeSet<(String, String)> = listed
        .into_iter()
        .flat_map(|(path, methods)| {
            let methods = methods.split(", ").filter(|method| *method != "HEAD");
            methods
                .map(|method| (method.to_lowercase(), path.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    let named: BTreeSet<(String, String)> = operations(&document(cfg!(feature = "sandbox")))
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    assert_eq!(named, there);
}

#[test]
fn the_pretend_phones_are_named_in_sandbox_only() {
    let live = document(false);
    assert!(
        live["paths"]
            .get(crate::http::paths::SANDBOX_MESSAGES)
            .is_none()
    );
    assert!(!live.to_string().contains("pretend phones"));
}

/// A generated client makes a function of each operation, and a module of each tag.
#[test]
fn every_operation_has_a_name_of_its_own_and_a_summary() {
    let document = document(true);
    let operations = operations(&document);
    let tags = document["tags"].as_array().unwrap();
    for (_, path, operation) in &operations {
        let name = operation["operationId"].as_str().unwrap();
        let words: Vec<_> = name.split('_').collect();
        let is_word =
            |word: &&str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_lowercase());
        assert!(words.len() > 1 && words.iter().all(is_word), "{name}");
        let [tag] = &operation["tags"].as_array().unwrap()[..] else {
            panic!("{path} has not one tag");
        };
        assert!(tags.iter().any(|it| it["name"] == *tag), "{tag}");
    }
    for name in ["operationId", "summary"] {
        let names: BTreeSet<_> = operations
            .iter()
            .map(|(_, _, operation)| operation[name].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), operations.len(), "{name}");
    }
    for (_, path, operation) in &operations {
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses {
            assert!(
                response["headers"]["X-Request-Id"].is_object(),
                "{path} {status}"
            );
        }
    }
}

#[test]
fn an_application_finds_its_four_operations_by_their_tag() {
    let names: BTreeSet<_> = operations(&document(false))
        .into_iter()
        .filter(|(_, _, operation)| operation["tags"][0] == "Verification")
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    let four = ["introspect_proof", "resend_otp", "send_otp", "verify_otp"];
    assert_eq!(names, BTreeSet::from(four.map(str::to_owned)));
}

/// Texts are Markdown, in which a link of rustdoc's leads nowhere.
#[test]
fn no_text_has_a_link_of_rustdocs() {
    fn walk(value: &Value) -> usize {
        match value {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| match value {
                    Value::String(text) if name == "description" || name == "summary" => {
                        for link in ["[`", "`]", "](crate", "](super", "](Self", "::"] {
                            assert!(!text.contains(link), "{text}");
                        }
                        1
                    }
                    _ => walk(value),
                })
                .sum(),
            Value::Array(items) => items.iter().map(walk).sum(),
            _ => 0,
        }
    }
    assert!(walk(&document(true)) > 200);
}

#[test]
fn every_code_has_an_example_and_its_status_is_the_responses() {
    let document = document(true);
    let mut seen = BTreeSet::new();
    let of_calls = operations(&document).into_iter().flat_map(|(_, _, it)| {
        let responses = it["responses"].as_object().unwrap().clone();
        responses.into_iter()
    });
    for (status, response) in of_calls {
        let content = &response["content"]["application/problem+json"];
        for example in content["examples"].as_object().into_iter().flatten() {
            let problem = &resolved(&document, example.1)["value"];
            assert_eq!(problem["status"].to_string(), status);
            let waits = problem["retry_after"].is_u64();
            let told = &response["headers"]["Retry-After"];
            assert!(!waits || told.is_object(), "{status} {problem}");
            assert!(waits || told["required"] != true, "{status} {problem}");
        }
    }
    for example in document["components"]["examples"]
        .as_object()
        .unwrap()
        .values()
    {
        seen.insert(example["value"]["code"].as_str().unwrap().to_owned());
    }
    let all: BTreeSet<_> = ErrorCode::ALL
        .iter()
        .map(|code| code.as_str().to_owned())
        .collect();
    assert_eq!(seen, all);
}

#[test]
fn every_example_is_read_as_the_shared_type() {
    fn read<T: DeserializeOwned>(value: &Value) -> T {
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
    }
    fn valid<T: DeserializeOwned + Validate>(value: &Value) {
        read::<T>(value).validate().unwrap();
    }
    let mut seen = BTreeSet::new();
    for (schema, value) in examples(&document(true)) {
        match schema.as_str() {
            "SendRequest" => valid::<SendRequest>(&value),
            "PageRequest" => valid::<PageRequest>(&value),
            "ResendRequest" => valid::<ResendRequest>(&value),
            "VerifyRequest" => valid::<VerifyRequest>(&value),
            "SendAnswer" if value["page_url"].is_string() => drop(read::<PageResponse>(&value)),
            "SendResponse" | "SendAnswer" => drop(read::<SendResponse>(&value)),
            "VerifyResponse" => drop(read::<VerifyResponse>(&value)),
            "SessionResponse" => drop(read::<SessionResponse>(&value)),
            "ConfigResponse" => drop(read::<ConfigResponse>(&value)),
            "Introspection" => drop(read::<Introspection>(&value)),
            "IntrospectRequest" => {
                assert!(value["consume"] == Value::Null || value["consume"] == true);
            }
            "SessionEvent" => {
                let data = value["data"].as_str().unwrap();
                drop(serde_json::from_str::<SessionResponse>(data).unwrap());
            }
            "JsonWebKeySet" => drop(read::<jsonwebtoken::jwk::JwkSet>(&value)),
            "Problem" => assert_ne!(read::<Problem>(&value).code, ErrorCode::Unknown),
            "" | "Liveness" | "Readiness" | "OpenApiDocument" => {}
            other => panic!("{other} is read as nothing"),
        }
        seen.insert(schema);
    }
    assert_eq!(seen.len(), 18, "{seen:?}");
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(document: &Value, value: &Value) {
        if value["$ref"].is_string() {
            resolved(document, value);
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|it| walk(document, it)),
            Value::Array(items) => items.iter().for_each(|it| walk(document, it)),
            _ => {}
        }
    }
    let document = document(true);
    walk(&document, &document);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
}
