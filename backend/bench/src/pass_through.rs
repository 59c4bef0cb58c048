//! The baseline: the same two calls through the same two libraries, with no rules, state
//! or log in between.

use std::net::SocketAddr;

use actix_web::{
    App, HttpResponse, HttpServer,
    http::StatusCode,
    web::{self, Bytes, Data},
};
use serde_json::{Value, json};

struct Plivo {
    http: reqwest::Client,
    sessions: String,
}

/// Serves until the process ends; prints its address first.
pub(crate) async fn serve(upstream: SocketAddr) -> std::io::Result<()> {
    let plivo = Data::new(Plivo {
        http: reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(std::io::Error::other)?,
        sessions: format!("http://{upstream}/v1/Account/MAXX/Verify/Session/"),
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(plivo.clone())
            .route("/api/otp/send", web::post().to(send))
            .route("/api/otp/verify", web::post().to(verify))
    })
    .bind("127.0.0.1:0")?;
    crate::say(&json!({"event": "server.started", "address": server.addrs()[0]}).to_string());
    server.run().await
}

async fn call(plivo: &Plivo, url: &str, body: &Value) -> Option<(StatusCode, Value)> {
    let request = plivo
        .http
        .post(url)
        .basic_auth("MAXX", Some("x"))
        .json(body);
    let answer = request.send().await.ok()?;
    let status = StatusCode::from_u16(answer.status().as_u16()).ok()?;
    Some((status, answer.json().await.ok()?))
}

async fn send(plivo: Data<Plivo>, body: Bytes) -> HttpResponse {
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    let body = json!({"recipient": asked["recipient"], "channel": "sms"});
    match call(&plivo, &plivo.sessions, &body).await {
        Some((_, answer)) => {
            HttpResponse::Ok().json(json!({"session_uuid": answer["session_uuid"]}))
        }
        None => HttpResponse::BadGateway().finish(),
    }
}

async fn verify(plivo: Data<Plivo>, body: Bytes) -> HttpResponse {
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    let id = asked["session_uuid"].as_str().unwrap_or_default();
    let url = format!("{}{id}/", plivo.sessions);
    match call(&plivo, &url, &json!({"otp": asked["otp"]})).await {
        Some((status, _)) => HttpResponse::Ok().json(json!({"verified": status.is_success()})),
        None => HttpResponse::BadGateway().finish(),
    }
}
