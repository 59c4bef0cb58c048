//! Who calls, and how often.

use std::time::Duration;

use reqwest::Method;

use super::{ID, Plivo, TOKEN, to};

#[tokio::test]
async fn without_credentials_there_is_plain_text() {
    let plivo = Plivo::start();
    let url = format!(
        "{}/v1/Account/{ID}/Verify/Session/",
        plivo.simulator.base_url()
    );
    let other = url.replace(ID, "MAYYYYYYYYYYYYYYYYYY");
    for request in [
        plivo.http.post(&url),
        plivo.http.post(&url).basic_auth(ID, Some("wrong")),
        plivo.http.post(&other).basic_auth(ID, Some(TOKEN)),
    ] {
        let answer = request.json(&to("+14155550123")).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(answer.text().await.unwrap().starts_with("Could not verify"));
    }
    assert_eq!(plivo.simulator.calls().create, 0);
}

#[tokio::test]
async fn paths_end_in_a_slash_and_methods_are_two() {
    let plivo = Plivo::start();
    let url = format!(
        "{}/v1/Account/{ID}/Verify/Session",
        plivo.simulator.base_url()
    );
    let answer = plivo
        .call(plivo.http.post(url).basic_auth(ID, Some(TOKEN)))
        .await;
    assert_eq!(answer.0, 404);
    assert_eq!(plivo.call(plivo.request(Method::DELETE, "")).await.0, 405);
}

#[tokio::test]
async fn an_account_has_three_hundred_requests_in_five_seconds() {
    let plivo = Plivo::start_with(|settings| settings.requests_per_5s = 3);
    for _ in 0..3 {
        plivo.get("x/").await;
    }
    assert_eq!(plivo.get("x/").await.0, 429);
    plivo.simulator.advance(Duration::from_secs(5));
    assert_eq!(plivo.get("x/").await.0, 404);
}
