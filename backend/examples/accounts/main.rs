//! A small application with accounts: sign-up with a verified phone number, and log-in
//! with a code as the second factor.
//!
//! It uses only Countersign's public API. This server requests codes with its key and on
//! behalf of its user; the browser submits the proof, and nothing else that it sends is
//! trusted. `cargo xtask accounts` starts it beside Countersign's sandbox.
//!
//! Left out, because it is not the point: a limit on password attempts, and account
//! recovery without the phone.

mod countersign;
mod pages;
mod users;

use std::sync::Arc;

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    cookie::{Cookie, SameSite},
    http::{
        StatusCode,
        header::{CONTENT_SECURITY_POLICY, LOCATION},
    },
    middleware::DefaultHeaders,
    web::{self, Data, Form, Json},
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use countersign::{Countersign, Untrusted};
use users::{Step, User, Users};

const COOKIE: &str = "accounts";

struct Accounts {
    users: Users,
    countersign: Countersign,
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or(default.to_owned());
    let url = setting("COUNTERSIGN_URL", "http://127.0.0.1:8080");
    let key = SecretString::from(setting("COUNTERSIGN_KEY", ""));
    let accepts_sandbox = setting("ACCEPT_SANDBOX", "false") == "true";
    let users = Users::open(&setting("ACCOUNTS_DB", "data/accounts.db"));
    let accounts = Data::from(Arc::new(Accounts {
        users: users.map_err(std::io::Error::other)?,
        countersign: Countersign::new(&url, key, accepts_sandbox).map_err(std::io::Error::other)?,
    }));
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                  form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let server = HttpServer::new(move || {
        App::new()
            .app_data(accounts.clone())
            .wrap(DefaultHeaders::new().add((CONTENT_SECURITY_POLICY, policy)))
            .route("/", web::get().to(home))
            .route("/sign-up", web::get().to(pages::sign_up))
            .route("/sign-up", web::post().to(sign_up))
            .route("/log-in", web::get().to(pages::log_in))
            .route("/log-in", web::post().to(log_in))
            .route("/verify", web::get().to(verify_page))
            .route("/verify", web::post().to(verify))
            .route("/code/send", web::post().to(send_code))
            .route("/code/verify", web::post().to(verify_code))
            .route("/two-factor", web::post().to(two_factor))
            .route("/log-out", web::post().to(log_out))
            .route("/accounts.css", web::get().to(pages::style))
            .route("/accounts.js", web::get().to(pages::script))
    })
    .workers(1)
    .bind(setting("ACCOUNTS_ADDR", "127.0.0.1:8090"))?;
    pages::say(&format!("accounts on http://{}", server.addrs()[0]));
    server.run().await
}

#[derive(Deserialize)]
struct Credentials {
    phone_number: String,
    password: String,
}

#[derive(Deserialize)]
struct Shown {
    proof: String,
}

/// The visitor behind this browser's cookie, and their progress.
fn visitor(accounts: &Accounts, request: &HttpRequest) -> Option<(String, User, Step)> {
    let cookie = request.cookie(COOKIE)?;
    let (user, step) = accounts.users.visitor(cookie.value())?;
    Some((cookie.value().to_owned(), user, step))
}

fn to(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, path))
        .finish()
}

/// Continues with a new session cookie: the previous one is worthless.
fn begin(accounts: &Accounts, user: &User, step: &Step, path: &str) -> HttpResponse {
    let name = accounts.users.begin(user, step);
    let cookie = Cookie::build(COOKIE, name)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .finish();
    let mut response = to(path);
    response.add_cookie(&cookie).ok();
    response
}

async fn home(accounts: Data<Accounts>, request: HttpRequest) -> HttpResponse {
    match visitor(&accounts, &request) {
        Some((_, user, Step::SignedIn)) => pages::account(&user),
        Some((_, _, Step::MustProve { .. })) => to("/verify"),
        None => pages::welcome(),
    }
}

async fn sign_up(accounts: Data<Accounts>, form: Form<Credentials>) -> HttpResponse {
    let shared = accounts.clone();
    let Credentials {
        phone_number,
        password,
    } = form.into_inner();
    let made = web::block(move || shared.users.sign_up(&phone_number, &password)).await;
    match made {
        Ok(Ok(user)) => begin(&accounts, &user, &Step::must_prove(), "/verify"),
        Ok(Err(problem)) => pages::refused("/sign-up", problem),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

async fn log_in(accounts: Data<Accounts>, form: Form<Credentials>) -> HttpResponse {
    let shared = accounts.clone();
    let Credentials {
        phone_number,
        password,
    } = form.into_inner();
    let found = web::block(move || shared.users.log_in(&phone_number, &password)).await;
    match found {
        // The password was right; a number that was never verified is verified now.
        Ok(Some(user)) if user.two_factor_enabled || !user.is_phone_verified => {
            begin(&accounts, &user, &Step::must_prove(), "/verify")
        }
        Ok(Some(user)) => begin(&accounts, &user, &Step::SignedIn, "/"),
        Ok(None) => pages::refused("/log-in", "The number or the password is wrong."),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

async fn verify_page(accounts: Data<Accounts>, request: HttpRequest) -> HttpResponse {
    match visitor(&accounts, &request) {
        Some((_, user, Step::MustProve { nonce })) => pages::verify(&user, &nonce),
        _ => to("/"),
    }
}

/// Sends a code to the number of the visitor's account.
async fn send_code(accounts: Data<Accounts>, request: HttpRequest) -> HttpResponse {
    let Some((_, user, Step::MustProve { nonce })) = visitor(&accounts, &request) else {
        return HttpResponse::Forbidden().finish();
    };
    // Behind a reverse proxy, this would have to be the address that the proxy reports.
    let address = request.peer_addr().map(|peer| peer.ip());
    passed_on(accounts.countersign.send(&user, &nonce, address).await)
}

#[derive(Deserialize)]
struct Tried {
    session_uuid: String,
    otp: String,
}

/// Checks the visitor's code. The browser then submits the resulting proof.
async fn verify_code(
    accounts: Data<Accounts>,
    request: HttpRequest,
    tried: Json<Tried>,
) -> HttpResponse {
    let key = request.headers().get("idempotency-key");
    let key = key.and_then(|key| key.to_str().ok());
    let Tried { session_uuid, otp } = &*tried;
    passed_on(accounts.countersign.verify(session_uuid, otp, key).await)
}

/// Forwards Countersign's answer to the page's script.
fn passed_on(answer: reqwest::Result<(u16, Value)>) -> HttpResponse {
    let unreachable = json!({"message": "That did not work. Try again in a moment."});
    let (status, body) = answer.unwrap_or((503, unreachable));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    HttpResponse::build(status).json(body)
}

async fn verify(accounts: Data<Accounts>, request: HttpRequest, form: Form<Shown>) -> HttpResponse {
    let Some((name, user, Step::MustProve { nonce })) = visitor(&accounts, &request) else {
        return to("/");
    };
    let proven = accounts.countersign.prove(&form.proof, &user, &nonce).await;
    match proven {
        Ok(()) => {
            accounts.users.set_verified(&user);
            accounts.users.end(&name);
            begin(&accounts, &user, &Step::SignedIn, "/")
        }
        Err(Untrusted(why)) => pages::refused("/verify", why),
    }
}

async fn two_factor(accounts: Data<Accounts>, request: HttpRequest) -> HttpResponse {
    if let Some((_, user, Step::SignedIn)) = visitor(&accounts, &request) {
        accounts
            .users
            .set_two_factor(&user, !user.two_factor_enabled);
    }
    to("/")
}

async fn log_out(accounts: Data<Accounts>, request: HttpRequest) -> HttpResponse {
    if let Some(cookie) = request.cookie(COOKIE) {
        accounts.users.end(cookie.value());
    }
    to("/")
}
