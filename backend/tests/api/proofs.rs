//! Proofs: their claims, which are rejected, and that each can be consumed once.

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign_backend::proof::{ProofAlgorithm, rotate};
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, jwk::JwkSet};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, KEYS, TestApp, TestStore, manual_clock, start_app};

pub(crate) const NUMBER: &str = "+14155550123";

async fn verified(app: &TestApp, settings: Value) -> Value {
    let mut body = json!({"recipient": NUMBER});
    body.as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    let sent = app.post("/api/otp/send", &body).await.ok();
    let otp = app.newest_otp(NUMBER).await;
    let body = json!({"session_uuid": sent["session_uuid"], "otp": otp});
    app.post("/api/otp/verify", &body).await.ok()
}

pub(crate) async fn proof(app: &TestApp) -> String {
    let answer = verified(app, json!({})).await;
    answer["proof"].as_str().unwrap().to_owned()
}

pub(crate) async fn introspect(app: &TestApp, form: &[(&str, &str)]) -> Answer {
    let request = app.request(Method::POST, "/api/proofs/introspect");
    app.call(request.form(form)).await
}

/// Introspects a token.
pub(crate) async fn known(app: &TestApp, token: &str) -> Value {
    introspect(app, &[("token", token)]).await.ok()
}

pub(crate) fn inactive() -> Value {
    json!({"active": false})
}

/// One part of a token, decoded without verification.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[actix_web::test]
async fn a_proof_states_what_was_verified_and_its_key_is_public() {
    let app = TestApp::start_with(&[
        ("PUBLIC_URL", "https://verify.example.com"),
        ("PROOF_AUDIENCE", "shop"),
        ("PROOF_LIFETIME", "5m"),
    ])
    .await;
    let answer = verified(&app, json!({"nonce": "n-0S6_WzA2Mj"})).await;
    let token = answer["proof"].as_str().unwrap();
    let header = part(token, 0);
    let keys = app.get("/.well-known/jwks.json").await;
    assert_eq!(keys.header("cache-control"), "public, max-age=300");
    assert_eq!(keys.header("content-type"), "application/json");
    let key = &keys.ok()["keys"][0];
    assert_eq!(
        header,
        json!({"typ": "countersign-proof+jwt", "alg": "EdDSA", "kid": key["kid"]})
    );
    assert_eq!(
        (&key["kty"], &key["crv"], &key["use"], &key["alg"]),
        (
            &json!("OKP"),
            &json!("Ed25519"),
            &json!("sig"),
            &json!("EdDSA")
        )
    );
    // The private part is not published.
    assert!(key.get("d").is_none());
    let claims = part(token, 1);
    let (iat, exp) = (
        claims["iat"].as_u64().unwrap(),
        claims["exp"].as_u64().unwrap(),
    );
    assert_eq!(exp - iat, 300);
    let until = humantime_of(exp);
    assert_eq!(answer["expires_at"], until);
    assert_eq!(
        claims,
        json!({
            "iss": "https://verify.example.com", "aud": "shop", "iat": iat, "exp": exp,
            "jti": claims["jti"], "sub": claims["sub"], "auth_time": iat, "phone_number": NUMBER, "phone_number_verified": true,
            "amr": ["otp", "sms"], "nonce": "n-0S6_WzA2Mj", "sandbox": true,
        })
    );
    // Anybody with the public key can verify it offline.
    let keys: JwkSet = serde_json::from_value(keys.json()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["shop"]);
    validation.validate_exp = false;
    let checks = DecodingKey::from_jwk(&keys.keys[0]).unwrap();
    let checked = jsonwebtoken::decode::<Value>(token, &checks, &validation).unwrap();
    assert_eq!(checked.claims, claims);
    let mut expected = claims;
    expected["active"] = json!(true);
    assert_eq!(known(&app, token).await, expected);
}

fn humantime_of(seconds: u64) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(time).to_string()
}

#[actix_web::test]
async fn a_proof_states_the_channel_and_a_nonce_must_be_visible_ascii() {
    let app = TestApp::start().await;
    let answer = verified(&app, json!({"channel": "voice"})).await;
    let claims = part(answer["proof"].as_str().unwrap(), 1);
    assert_eq!(claims["amr"], json!(["otp", "tel"]));
    assert!(claims.get("nonce").is_none());
    for nonce in ["", "two words", "caf\u{e9}", &"n".repeat(256)] {
        let body = json!({"recipient": "+14155550124", "nonce": nonce});
        let problem = app.post("/api/otp/send", &body).await;
        assert_eq!(problem.problem(400, "invalid_request")["field"], "nonce");
    }
}

#[actix_web::test]
async fn a_proof_expires_on_time_and_is_not_from_the_future() {
    let app = TestApp::start_with(&[("PROOF_LIFETIME", "1m")]).await;
    let token = proof(&app).await;
    app.advance(Duration::from_secs(59));
    assert_eq!(known(&app, &token).await["active"], true);
    app.advance(Duration::from_secs(1));
    assert_eq!(known(&app, &token).await, inactive());
}

/// The service's own key, as read from a stolen file.
fn own_key(app: &TestApp) -> (EncodingKey, String) {
    let (TestStore::File(directory) | TestStore::Redis(_, directory)) = &app.store;
    let text = std::fs::read_to_string(directory.path().join(KEYS)).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let pem = file["keys"][0]["private_key"].as_str().unwrap().to_owned();
    (EncodingKey::from_ed_pem(pem.as_bytes()).unwrap(), pem)
}

#[actix_web::test]
async fn forged_and_altered_tokens_are_inactive_without_details() {
    let app = TestApp::start().await;
    let token = proof(&app).await;
    let (claims, header) = (part(&token, 1), part(&token, 0));
    let (own, _) = own_key(&app);
    let public = app.get("/.well-known/jwks.json").await.ok()["keys"][0].clone();
    let sign = |header: &Header, claims: &Value, key: &EncodingKey| {
        jsonwebtoken::encode(header, claims, key).unwrap()
    };
    let ours = |claims: &Value| {
        let header: Header = serde_json::from_value(header.clone()).unwrap();
        sign(&header, claims, &own)
    };
    // The signing helper works: this one is accepted.
    assert_eq!(known(&app, &ours(&claims)).await["active"], true);

    let with = |name: &str, value: Value| {
        let mut changed = claims.clone();
        changed[name] = value;
        ours(&changed)
    };
    let iat = claims["iat"].as_u64().unwrap();
    let typed = |typ: Option<&str>| {
        let mut header: Header = serde_json::from_value(header.clone()).unwrap();
        header.typ = typ.map(str::to_owned);
        sign(&header, &claims, &own)
    };
    let encoded = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let (_, signature) = token.rsplit_once('.').unwrap();
    let unsigned = |algorithm: &str, signature: &str| {
        let mut header = header.clone();
        header["alg"] = json!(algorithm);
        format!("{}.{}.{signature}", encoded(&header), encoded(&claims))
    };
    let symmetric = {
        let key = EncodingKey::from_secret(public["x"].as_str().unwrap().as_bytes());
        let mut other = Header::new(Algorithm::HS256);
        other.typ = Some("countersign-proof+jwt".to_owned());
        other.kid = header["kid"].as_str().map(str::to_owned);
        sign(&other, &claims, &key)
    };
    let (strange_key, strange_pem) = strange_key();
    let strange = |change: fn(&mut Header, &str)| {
        let mut header: Header = serde_json::from_value(header.clone()).unwrap();
        change(&mut header, &strange_pem);
        sign(&header, &claims, &strange_key)
    };
    let mut changed = claims.clone();
    changed["phone_number"] = json!("+14155550199");
    let edited = format!("{}.{}.{signature}", encoded(&header), encoded(&changed));
    for (what, token) in [
        ("no token", "x".to_owned()),
        ("dots", "..".to_owned()),
        ("alg none", unsigned("none", "")),
        ("alg none with a signature", unsigned("none", signature)),
        ("alg HS256 with the public key", symmetric),
        ("alg in other letters", unsigned("eddsa", signature)),
        ("an edited number", edited),
        ("another audience", with("aud", json!("another"))),
        (
            "several audiences",
            with("aud", json!(["another", "third"])),
        ),
        ("another issuer", with("iss", json!("https://evil.example"))),
        ("from the future", with("iat", json!(iat + 60))),
        ("long over", with("exp", json!(iat))),
        ("not verified", with("phone_number_verified", json!(false))),
        ("from a live service", with("sandbox", json!(false))),
        ("no end", with("exp", Value::Null)),
        ("no type", typed(None)),
        ("another type", typed(Some("JWT"))),
        ("another key under our name", strange(|_, _| {})),
        (
            "another key under its own name",
            strange(|header, _| {
                header.kid = Some("mine".to_owned());
            }),
        ),
        (
            "another key, to be fetched",
            strange(|header, _| {
                header.jku = Some("https://evil.example/jwks.json".to_owned());
            }),
        ),
        ("no key named", strange(|header, _| header.kid = None)),
    ] {
        assert_eq!(known(&app, &token).await, inactive(), "{what}");
    }
    // One changed byte, in various places.
    for place in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let answer = known(&app, &changed).await;
        assert_eq!(answer, inactive(), "byte {place}");
    }
}

fn strange_key() -> (EncodingKey, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(KEYS);
    rotate(&path, ProofAlgorithm::default(), SystemTime::now()).unwrap();
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let pem = file["keys"][0]["private_key"].as_str().unwrap().to_owned();
    (EncodingKey::from_ed_pem(pem.as_bytes()).unwrap(), pem)
}

#[actix_web::test]
async fn a_proof_is_consumed_once_and_then_inactive() {
    let app = TestApp::start().await;
    let token = proof(&app).await;
    let spend = [("token", token.as_str()), ("consume", "true")];
    assert_eq!(introspect(&app, &spend).await.ok()["active"], true);
    for form in [&spend[..], &spend[..1]] {
        assert_eq!(introspect(&app, form).await.ok(), inactive());
    }
    // Another proof of the same number is independent.
    app.advance(Duration::from_secs(30));
    let other = proof(&app).await;
    assert_eq!(known(&app, &other).await["active"], true);
    assert_eq!(
        introspect(&app, &[("token", &token)]).await.ok(),
        inactive()
    );
}

#[actix_web::test]
async fn fifty_concurrent_consumers_on_two_instances_get_one_success() {
    let store = TestStore::new_redis();
    let settings = store.settings();
    let mut all = vec![
        ("PLIVO_MODE", "sandbox"),
        ("LIMIT_REQUESTS_PER_ADDRESS", "off"),
        ("PROOF_ISSUER", "https://verify.example.com"),
    ];
    all.extend(settings.iter().map(|(name, value)| (*name, value.as_str())));
    let other = start_app(&all, manual_clock()).await;
    let app = TestApp::start_in(store, &all[2..3]).await;
    let token = proof(&app).await;
    let other = format!("http://{}/api/proofs/introspect", other.address());
    let http = crate::app::http();
    let spends = (0..50).map(|turn| {
        let request = if turn % 2 == 0 {
            app.request(Method::POST, "/api/proofs/introspect")
        } else {
            http.post(&other)
        };
        app.call(request.form(&[("token", token.as_str()), ("consume", "true")]))
    });
    let answers = join_all(spends).await;
    let active = answers.iter().filter(|it| it.ok()["active"] == true);
    assert_eq!(active.count(), 1);
}

#[actix_web::test]
async fn a_malformed_introspection_is_refused() {
    let app = TestApp::start_with(&[("LIMIT_INTROSPECTIONS_PER_ADDRESS", "6/1h")]).await;
    let path = "/api/proofs/introspect";
    let json = app.post(path, &json!({"token": "x"})).await;
    json.problem(415, "unsupported_media_type");
    for (form, field) in [
        (&[][..], "token"),
        (&[("token", "")], "token"),
        (&[("token", "a"), ("token", "b")], "token"),
        (&[("token", "a"), ("consume", "yes")], "consume"),
    ] {
        let problem = introspect(&app, form).await.problem(400, "invalid_request");
        assert_eq!(problem["field"], field);
    }
    let huge = "x".repeat(5000);
    introspect(&app, &[("token", &huge)])
        .await
        .problem(413, "request_too_large");
    // Introspection is rate limited like other requests.
    introspect(&app, &[("token", "a")])
        .await
        .problem(429, "rate_limited");
}

#[actix_web::test]
async fn a_new_key_is_published_before_it_signs_and_old_proofs_stay_valid() {
    let app = TestApp::start().await;
    let (TestStore::File(directory) | TestStore::Redis(_, directory)) = &app.store;
    let path = directory.path().join(KEYS);
    let now = || app.clock_now();
    app.advance(Duration::from_hours(1));
    let old = proof(&app).await;
    let new_id = rotate(&path, ProofAlgorithm::default(), now()).unwrap().id;
    app.reload_keys();
    let keys = app.get("/.well-known/jwks.json").await.ok();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_eq!(keys["keys"][0]["kid"], new_id);
    // Clients with cached keys do not know the new one yet.
    app.advance(Duration::from_mins(5));
    let between = proof(&app).await;
    assert_eq!(part(&between, 0)["kid"], part(&old, 0)["kid"]);
    // Until it signs, the next rotation is refused.
    let refusal = rotate(&path, ProofAlgorithm::default(), now())
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains("a moment ago; wait for 660 seconds"),
        "{refusal}"
    );
    app.advance(Duration::from_mins(1));
    let after = proof(&app).await;
    assert_eq!(part(&after, 0)["kid"], new_id);
    assert_eq!(known(&app, &between).await["active"], true);
    assert_eq!(known(&app, &after).await["active"], true);
    assert_eq!(known(&app, &old).await["active"], true);
    app.advance(Duration::from_mins(10));
    rotate(&path, ProofAlgorithm::default(), now()).unwrap();
    app.reload_keys();
    let keys = app.get("/.well-known/jwks.json").await.ok();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_eq!(known(&app, &after).await, inactive());
}
