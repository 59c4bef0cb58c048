//! Proofs and their keys.

use super::{APPLICATION, CALLER, FORM, STORE, UPSTREAM};
use crate::http::openapi::answers;
use crate::http::openapi::builders::{always, answer, content, text};
use crate::http::openapi::call::{Call, Description, KeyIs};
use crate::http::problem::ApiError::{self, InvalidField};
use countersign_shared as shared;
use countersign_shared::proof::Introspection;
use serde_json::json;
use utoipa::openapi::{ArrayBuilder, HttpMethod, ObjectBuilder};

pub(super) fn introspect(is_sandbox: bool) -> Call {
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
        )
        .property(
            "purpose",
            text()
                .description(Some(
                    "What the proof must be for; one for another purpose is inactive.",
                ))
                .enum_values(Some(shared::Purpose::ALL.map(shared::Purpose::as_str))),
        );
    let fields: &[ApiError] = &[
        InvalidField("token"),
        InvalidField("consume"),
        InvalidField("purpose"),
    ];
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
            (
                "spend",
                json!({"token": answers::PROOF, "consume": "true", "purpose": "sign_in"}),
            ),
        ],
    )
    .answers::<Introspection>("What is known of it.", &answers::introspections(), &[])
    .fails(&[FORM, fields, CALLER, APPLICATION, STORE, &UPSTREAM[1..]])
}

pub(super) fn keys() -> Call {
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
