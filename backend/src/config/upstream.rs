//! The upstream that delivers codes.

use std::num::NonZeroU16;

use countersign_plivo::{AcceptedMessages, Account};
use secrecy::{ExposeSecret, SecretString};

use super::{
    ConfigError, urls,
    values::Reader,
    variables::{self, Variable},
};

/// The upstream that delivers codes.
#[derive(Clone, Debug)]
pub enum Upstream {
    /// The simulator inside this process: nothing is really sent.
    Sandbox,
    /// Plivo, or a stand-in at another address.
    Live(Account),
}

pub(super) fn read_upstream(reader: &Reader<'_>) -> Result<Upstream, ConfigError> {
    use variables::{PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN, PLIVO_BASE_URL, PLIVO_MODE};
    match reader.text(&PLIVO_MODE)?.as_deref() {
        Some("sandbox") => {
            let live: [&Variable; 3] = [&PLIVO_AUTH_ID, &PLIVO_AUTH_TOKEN, &PLIVO_BASE_URL];
            if let Some(variable) = live.into_iter().find(|variable| reader.is_set(variable)) {
                return Err(variable
                    .error("is set, but PLIVO_MODE=sandbox sends nothing; unset one of the two"));
            }
            if cfg!(feature = "sandbox") {
                Ok(Upstream::Sandbox)
            } else {
                Err(PLIVO_MODE
                    .error("this build carries no sandbox; build with --features sandbox"))
            }
        }
        Some("live") => Ok(Upstream::Live(Account {
            base_url: urls::base_url(&reader.required(&PLIVO_BASE_URL)?)
                .map_err(|problem| PLIVO_BASE_URL.error(problem))?,
            auth_id: reader.identifier(&PLIVO_AUTH_ID)?,
            auth_token: read_auth_token(reader)?,
            app_uuid: reader
                .is_set(&variables::PLIVO_APP_UUID)
                .then(|| reader.identifier(&variables::PLIVO_APP_UUID))
                .transpose()?,
            app_hash: read_app_hash(reader)?,
            accepted_messages: read_accepted_messages(reader)?,
        })),
        Some(_) => Err(PLIVO_MODE.error("must be live or sandbox")),
        None => Err(PLIVO_MODE.error(
            "is not set; choose sandbox to try everything without an account, \
             or live with PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN",
        )),
    }
}

/// With fewer permits the share reserved for checks would be all or nothing.
pub(super) fn read_calls_at_once(reader: &Reader<'_>) -> Result<NonZeroU16, ConfigError> {
    let variable = &variables::PLIVO_CALLS_AT_ONCE;
    let count: u16 = reader.parse(variable, "5 to 10000")?;
    let count = NonZeroU16::new(count).filter(|count| (5..=10_000).contains(&count.get()));
    count.ok_or_else(|| variable.error("must be 5 to 10000"))
}

/// 11 characters of base64 (Google's SMS Retriever).
fn read_app_hash(reader: &Reader<'_>) -> Result<Option<String>, ConfigError> {
    let variable = &variables::PLIVO_APP_HASH;
    let hash = reader.text(variable)?;
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let fits = |hash: &String| hash.len() == 11 && hash.bytes().all(is_base64);
    match hash {
        Some(hash) if !fits(&hash) => {
            Err(variable.error("must be the 11 characters that the application's build prints"))
        }
        hash => Ok(hash),
    }
}

fn read_accepted_messages(reader: &Reader<'_>) -> Result<AcceptedMessages, ConfigError> {
    let variable = &variables::PLIVO_ACCEPTED_MESSAGES;
    let messages = AcceptedMessages::parse(&reader.required(variable)?);
    messages.ok_or_else(|| {
        variable.error(
            "must be whole sentences between |, of at least 12 letters and at most 200 bytes each",
        )
    })
}

fn read_auth_token(reader: &Reader<'_>) -> Result<SecretString, ConfigError> {
    let token = SecretString::from(reader.required(&variables::PLIVO_AUTH_TOKEN)?);
    if token
        .expose_secret()
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        Ok(token)
    } else {
        Err(variables::PLIVO_AUTH_TOKEN.error("must be printable ASCII without spaces"))
    }
}
