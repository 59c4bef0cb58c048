use crate::app::TestApp;

#[actix_web::test]
async fn clients_learn_what_to_display() {
    let app = TestApp::start_with(&[
        ("ALLOWED_COUNTRIES", "us, GB"),
        ("ALLOWED_CHANNELS", "voice,sms"),
        ("BRAND_NAME", "Acme"),
        ("OTP_LENGTH", "8"),
    ])
    .await;
    let config = app.get("/api/config").await.ok();
    assert_eq!(config["brand_name"], "Acme");
    assert_eq!(config["sandbox"], true);
    assert_eq!(config["otp_length"], 8);
    assert_eq!(config["channels"], serde_json::json!(["voice", "sms"]));
    let codes: Vec<_> = config["countries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|country| country["code"].clone())
        .collect();
    assert_eq!(codes, ["GB", "US"]);
    assert_eq!(config["countries"][0]["calling_code"], 44);
    let session = app.sent("+14155550123").await;
    assert_eq!(session.otp.len(), 8);
    app.verify(&session, &session.otp).await.ok();
}

#[actix_web::test]
async fn every_country_is_offered_in_sandbox() {
    let app = TestApp::start().await;
    let config = app.get("/api/config").await.ok();
    assert!(config["countries"].as_array().unwrap().len() > 200);
}

#[actix_web::test]
async fn health_and_readiness() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/healthz").await.ok()["status"], "ok");
    assert_eq!(app.get("/readyz").await.ok()["status"], "ready");
}

#[actix_web::test]
async fn the_pretend_phones_are_in_sandbox_only() {
    let app = TestApp::start().await;
    app.send("+14155550101").await.ok();
    app.send("+14155550102").await.ok();
    let all = app.get("/sandbox/messages").await.ok();
    assert_eq!(all[0]["recipient"], "+14155550102");
    assert_eq!(all[1]["recipient"], "+14155550101");
    for filter in ["%2B14155550101", "+14155550101", "14155550101"] {
        let one = app
            .get(&format!("/sandbox/messages?recipient={filter}"))
            .await
            .ok();
        assert_eq!(one.as_array().unwrap().len(), 1);
        assert_eq!(one[0]["channel"], "sms");
        assert!(
            one[0]["text"]
                .as_str()
                .unwrap()
                .contains(one[0]["otp"].as_str().unwrap())
        );
    }
    let live = TestApp::start_live("http://127.0.0.1:9", &[]).await;
    live.get("/sandbox/messages")
        .await
        .problem(404, "not_found");
    assert_eq!(live.get("/api/config").await.ok()["sandbox"], false);
}
