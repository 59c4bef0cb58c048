//! The simulator over real HTTP, held to what Plivo documents.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod callbacks;
mod codes;
mod documents;
mod reads;
mod sessions;

use plivo_simulator::{Settings, Simulator};
use reqwest::{Client, Method};
use serde_json::{Value, json};

const ID: &str = "MAXXXXXXXXXXXXXXXXXX";
const TOKEN: &str = "test_auth_token";

struct Plivo {
    simulator: Simulator,
    http: Client,
}

impl Plivo {
    fn start() -> Self {
        Self::start_with(|_| {})
    }

    fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new(ID, TOKEN);
        change(&mut settings);
        let simulator = Simulator::start(settings).unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        Self { simulator, http }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!(
            "{}/v1/Account/{ID}/Verify/Session/{path}",
            self.simulator.base_url()
        );
        self.http.request(method, url).basic_auth(ID, Some(TOKEN))
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        // An id of its own in every answer, errors included.
        assert_eq!(body["api_id"].as_str().unwrap().len(), 36);
        (status, body)
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call(self.request(Method::POST, path).json(body)).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(self.request(Method::GET, path)).await
    }

    /// Creates, and answers the session's id.
    async fn create(&self, body: &Value) -> String {
        let (status, answer) = self.post("", body).await;
        assert_eq!(
            (status, &answer["message"]),
            (202, &json!("Session initiated")),
            "{answer}"
        );
        assert!(answer.get("error").is_none());
        answer["session_uuid"].as_str().unwrap().to_owned()
    }

    async fn validate(&self, id: &str, otp: &str) -> (u16, Value) {
        self.post(&format!("{id}/"), &json!({"otp": otp})).await
    }

    async fn refused(&self, body: &Value, status: u16, error: &str) {
        let (seen, answer) = self.post("", body).await;
        assert_eq!((seen, &answer["error"]), (status, &json!(error)), "{body}");
    }

    async fn session(&self, id: &str) -> Value {
        let (status, answer) = self.get(&format!("{id}/")).await;
        assert_eq!(status, 200);
        answer
    }

    fn otp(&self) -> String {
        self.simulator.messages()[0].otp.clone()
    }
}

fn to(recipient: &str) -> Value {
    json!({"recipient": recipient})
}
