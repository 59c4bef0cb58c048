//! Proofs of applications: audience, purpose, algorithm, and who may introspect.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign_backend::proof::{ProofAlgorithm, rotate};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{KEYS, TestApp, TestStore},
    applications::{ApplicationsFile, SEND, ask, secret},
    proofs::{NUMBER, inactive, introspect, known, part, proof},
};

/// Introspects a token with the key of that application.
async fn asked_by(app: &TestApp, id: &str, form: &[(&str, &str)]) -> Value {
    let request = app.request(Method::POST, "/api/proofs/introspect");
    let answer = app.call(request.bearer_auth(secret(id)).form(form)).await;
    answer.ok()
}

/// A proof for that application.
async fn proof_for(app: &TestApp, id: &str, purpose: &str) -> String {
    app.advance(Duration::from_mins(1));
    let body = json!({"recipient": NUMBER, "purpose": purpose});
    let sent = ask(app, id, SEND, &body).await.ok();
    let otp = app.newest_otp(NUMBER).await;
    let body = json!({"session_uuid": sent["session_uuid"], "otp": otp});
    let verified = ask(app, id, "/api/otp/verify", &body).await.ok();
    verified["proof"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_proof_has_its_applications_audience_and_its_purpose() {
    let file = ApplicationsFile::of(&[
        ("shop", "audience = \"https://shop.example\""),
        ("bank", ""),
        ("desk", "audience = \"https://shop.example\""),
    ]);
    let settings = [
        ("APPLICATIONS_FILE", file.path()),
        ("LIMIT_SENDS_PER_NUMBER", "off"),
    ];
    let app = TestApp::start_with(&settings).await;
    let token = proof_for(&app, "shop", "sign_in").await;
    let claims = part(&token, 1);
    assert_eq!(claims["aud"], "https://shop.example");
    assert_eq!(claims["purpose"], "sign_in");
    assert_eq!(claims["auth_time"], claims["iat"]);
    // Another application can neither introspect nor consume it.
    for consume in ["false", "true"] {
        let form = [("token", token.as_str()), ("consume", consume)];
        assert_eq!(asked_by(&app, "bank", &form).await, inactive());
    }
    let looked = asked_by(&app, "desk", &[("token", &token)]).await;
    assert_eq!(
        (&looked["active"], &looked["purpose"]),
        (&json!(true), &json!("sign_in"))
    );
    let spend = [("token", token.as_str()), ("consume", "true")];
    assert_eq!(asked_by(&app, "shop", &spend).await["active"], true);
    assert_eq!(asked_by(&app, "shop", &spend).await, inactive());
    // A number has one subject at an application, and a different one at another.
    let again = part(&proof_for(&app, "shop", "reset").await, 1);
    let other = part(&proof_for(&app, "bank", "reset").await, 1);
    assert_eq!(again["sub"], claims["sub"]);
    assert_ne!(other["sub"], claims["sub"]);
}

#[actix_web::test]
async fn introspection_requires_a_key_once_one_is_configured() {
    let file = ApplicationsFile::of(&[("shop", "")]);
    let closed = TestApp::start_with(&[("APPLICATIONS_FILE", file.path())]).await;
    let live = TestApp::start_live("http://127.0.0.1:9", &[]).await;
    for app in [&closed, &live] {
        let refused = introspect(app, &[("token", "x")]).await;
        refused.problem(401, "unauthorized");
        let challenge = refused.header("www-authenticate");
        assert_eq!(challenge, "Bearer realm=\"countersign\"");
    }
    let open = TestApp::start().await;
    assert_eq!(known(&open, "x").await, inactive());
    assert_eq!(
        asked_by(&closed, "shop", &[("token", "x")]).await,
        inactive()
    );
}

#[actix_web::test]
async fn rotation_can_change_the_algorithm_and_each_key_keeps_its_own() {
    let app = TestApp::start().await;
    let (TestStore::File(directory) | TestStore::Redis(_, directory)) = &app.store;
    let path = directory.path().join(KEYS);
    app.advance(Duration::from_hours(1));
    let old = proof(&app).await;
    rotate(&path, ProofAlgorithm::Es256, app.clock_now()).unwrap();
    app.reload_keys();
    let keys = app.get("/.well-known/jwks.json").await.ok();
    let named = |index: usize| {
        let key = &keys["keys"][index];
        (key["alg"].clone(), key["kty"].clone(), key["crv"].clone())
    };
    assert_eq!(named(0), (json!("ES256"), json!("EC"), json!("P-256")));
    assert_eq!(named(1), (json!("EdDSA"), json!("OKP"), json!("Ed25519")));
    app.advance(Duration::from_mins(6));
    let new = proof(&app).await;
    assert_eq!(part(&new, 0)["alg"], "ES256");
    assert_eq!(known(&app, &new).await["active"], true);
    assert_eq!(known(&app, &old).await["active"], true);
    // The number's subject survives every rotation.
    assert_eq!(part(&new, 1)["sub"], part(&old, 1)["sub"]);
    let keys: JwkSet = serde_json::from_value(keys).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["countersign"]);
    validation.validate_exp = false;
    let checks = DecodingKey::from_jwk(&keys.keys[0]).unwrap();
    jsonwebtoken::decode::<Value>(&new, &checks, &validation).unwrap();
    // With the other key's id, or the other algorithm, it is invalid.
    for (alg, kid) in [("EdDSA", 0), ("ES256", 1), ("EdDSA", 1)] {
        let mut header = part(&new, 0);
        header["alg"] = json!(alg);
        header["kid"] = json!(keys.keys[kid].common.key_id);
        let header = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
        let (_, rest) = new.split_once('.').unwrap();
        assert_eq!(known(&app, &format!("{header}.{rest}")).await, inactive());
    }
}

#[actix_web::test]
async fn a_proof_for_another_purpose_is_inactive_and_stays() {
    let file = ApplicationsFile::of(&[("shop", "")]);
    let settings = [
        ("APPLICATIONS_FILE", file.path()),
        ("LIMIT_SENDS_PER_NUMBER", "off"),
    ];
    let app = TestApp::start_with(&settings).await;
    let reset = proof_for(&app, "shop", "reset").await;
    let about = |token, purpose| [("token", token), ("purpose", purpose), ("consume", "true")];
    for other in ["sign_up", "sign_in", "change_number"] {
        let answer = asked_by(&app, "shop", &about(&reset, other)).await;
        assert_eq!(answer, inactive(), "{other}");
    }
    let answer = asked_by(&app, "shop", &about(&reset, "reset")).await;
    assert_eq!(
        (&answer["active"], &answer["purpose"]),
        (&json!(true), &json!("reset"))
    );
    assert_eq!(
        asked_by(&app, "shop", &about(&reset, "reset")).await,
        inactive()
    );

    // One that names no purpose is for none of them.
    app.advance(Duration::from_mins(1));
    let sent = ask(&app, "shop", SEND, &json!({"recipient": NUMBER}))
        .await
        .ok();
    let body = json!({"session_uuid": sent["session_uuid"], "otp": app.newest_otp(NUMBER).await});
    let verified = ask(&app, "shop", "/api/otp/verify", &body).await.ok();
    let plain = verified["proof"].as_str().unwrap();
    assert_eq!(
        asked_by(&app, "shop", &about(plain, "sign_in")).await,
        inactive()
    );
    assert_eq!(
        asked_by(&app, "shop", &[("token", plain)]).await["active"],
        true
    );

    for wrong in ["", "login", "SIGN_IN"] {
        let request = app.request(Method::POST, "/api/proofs/introspect");
        let request = request
            .bearer_auth(secret("shop"))
            .form(&about(plain, wrong));
        let problem = app.call(request).await.problem(400, "invalid_request");
        assert_eq!(problem["field"], "purpose", "{wrong}");
    }
}
