//! The pages, rendered by the server. Only the verification needs a script.

use actix_web::{HttpResponse, http::header::CONTENT_TYPE};

use crate::users::User;

#[expect(clippy::print_stdout, reason = "whoever starts it reads that")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Escapes text from outside for HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn page(title: &str, body: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(format!(
            "<!doctype html><html lang=en><meta charset=utf-8>\
             <meta name=viewport content=\"width=device-width\">\
             <title>{title}</title><link rel=stylesheet href=/accounts.css>\
             <main><h1>{title}</h1>{body}</main></html>"
        ))
}

pub(crate) fn welcome() -> HttpResponse {
    page(
        "Accounts",
        "<p>An application that trusts proofs of Countersign.</p>\
         <p><a href=/sign-up>Sign up</a> <a href=/log-in>Log in</a></p>",
    )
}

fn credentials(action: &str, button: &str, autocomplete: &str) -> String {
    format!(
        "<form method=post action={action}>\
         <label>Phone number <input name=phone_number type=tel autocomplete=tel required \
         placeholder=+14155550123></label>\
         <label>Password <input name=password type=password autocomplete={autocomplete} \
         minlength=8 required></label>\
         <button>{button}</button></form><p><a href=/>Back</a></p>"
    )
}

pub(crate) async fn sign_up() -> HttpResponse {
    page(
        "Sign up",
        &credentials("/sign-up", "Sign up", "new-password"),
    )
}

pub(crate) async fn log_in() -> HttpResponse {
    page(
        "Log in",
        &credentials("/log-in", "Log in", "current-password"),
    )
}

pub(crate) fn verify(user: &User, nonce: &str) -> HttpResponse {
    let number = escaped(&user.phone_number);
    page(
        "Verify your number",
        &format!(
            "<p>We send a code to <b>{number}</b>.</p>\
             <form id=verify method=post data-nonce=\"{nonce}\">\
             <button type=button id=send>Send the code</button>\
             <label hidden>Code <input id=otp inputmode=numeric autocomplete=one-time-code></label>\
             <button type=button id=check hidden>Verify</button>\
             <input type=hidden name=proof></form><p id=status role=status></p>\
             <noscript>The verification needs JavaScript.</noscript>\
             <form method=post action=/log-out><button>Cancel</button></form>\
             <script src=/accounts.js></script>"
        ),
    )
}

pub(crate) fn account(user: &User) -> HttpResponse {
    let two_factor = if user.two_factor_enabled { "on" } else { "off" };
    page(
        "Your account",
        &format!(
            "<p>Signed in as <b>{}</b>, verified: {}, since {}.</p>\
             <p>A code at every log-in: <b>{two_factor}</b>.</p>\
             <form method=post action=/two-factor><button>Switch</button></form>\
             <form method=post action=/log-out><button>Log out</button></form>",
            escaped(&user.phone_number),
            if user.is_phone_verified { "yes" } else { "no" },
            user.created_at
        ),
    )
}

pub(crate) fn refused(back: &str, why: &str) -> HttpResponse {
    let mut response = page(
        "That did not work",
        &format!(
            "<p role=alert>{}</p><p><a href={back}>Back</a></p>",
            escaped(why)
        ),
    );
    *response.status_mut() = actix_web::http::StatusCode::BAD_REQUEST;
    response
}

pub(crate) async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/css"))
        .body(include_str!("accounts.css"))
}

pub(crate) async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/javascript"))
        .body(include_str!("accounts.js"))
}
