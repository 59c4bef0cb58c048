//! Schemas that a derive cannot generate: newtypes, whose format is defined by their
//! `parse`, and enums, whose last variant is for newer servers only.
//!
//! A pattern accepts exactly what `parse` accepts: a request that conforms to the schema
//! is read, and any other is refused. Schemathesis checks that they agree.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type, schema::SchemaType},
};

use crate::{
    ErrorCode, Locale, OneTimeCode, PhoneNumber, SessionId,
    session::{AttemptReason, AttemptStatus, NextAction},
};

fn text(description: &str, pattern: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some(pattern))
        .examples([example])
}

/// A phone number as people write it.
pub(crate) fn recipient() -> RefOr<Schema> {
    let between = "[ .()-]*";
    let pattern = format!("^ *\\+{between}[1-9]({between}[0-9]){{6,14}}{between}$");
    let said = "The phone number with its country code, as people write it: digits after one \
                leading `+`, with spaces, `-`, `.`, `(` and `)` between them.";
    text(said, &pattern, "+14155550123")
        .max_length(Some(PhoneNumber::MAX_INPUT))
        .into()
}

/// A phone number as we write it.
pub(crate) fn e164() -> RefOr<Schema> {
    text(
        "The number in E.164.",
        "^\\+[1-9][0-9]{6,14}$",
        "+14155550123",
    )
    .into()
}

/// A session's id in requests.
pub(crate) fn session_uuid() -> RefOr<Schema> {
    SessionId::schema()
}

/// A code.
pub(crate) fn otp() -> RefOr<Schema> {
    let (least, most) = (OneTimeCode::MIN_LENGTH, OneTimeCode::MAX_LENGTH);
    let said = "The code: as many digits as `otp_length` says, and nothing else.";
    text(said, &format!("^[0-9]{{{least},{most}}}$"), "601905").into()
}

/// An application's nonce.
pub(crate) fn nonce() -> RefOr<Schema> {
    let said = "A word of the application's, which the proof repeats.";
    text(said, "^[!-~]{1,255}$", "a-word-of-mine")
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .into()
}

impl PartialSchema for SessionId {
    fn schema() -> RefOr<Schema> {
        let pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";
        let said = "A session's name: a random UUID (version 4), lower-case and hyphenated.";
        text(said, pattern, "51630b05-1f2b-4c1a-835b-968f259175d1").into()
    }
}

impl PartialSchema for Locale {
    fn schema() -> RefOr<Schema> {
        let pattern = "^([A-Za-z]{2,8}|[xXiI][_-][A-Za-z0-9]{1,8})([_-][A-Za-z0-9]{1,8})*$";
        let said = "A BCP 47 tag: the nearest language that there is counts, or else the server's.";
        text(said, pattern, "en-US").max_length(Some(64)).into()
    }
}

/// An enum with the names of these values.
fn named<T: Copy + Serialize>(description: &str, all: &[T]) -> RefOr<Schema> {
    let names = all
        .iter()
        .map(|value| serde_json::to_value(value).expect("a name is JSON"));
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .enum_values(Some(names))
        .into()
}

impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        named("Why a request failed. Stable: branch on it.", Self::ALL)
    }
}

impl PartialSchema for NextAction {
    fn schema() -> RefOr<Schema> {
        use NextAction::{ChangeChannel, ChangeRecipient, Resend, Retry, Send, Verify};
        let all = [Verify, Resend, Send, ChangeRecipient, ChangeChannel, Retry];
        named("What a caller can do next.", &all)
    }
}

impl PartialSchema for AttemptStatus {
    fn schema() -> RefOr<Schema> {
        let all = [Self::Queued, Self::Sent, Self::Delivered, Self::Undelivered];
        named("How far a delivery has come.", &all)
    }
}

impl PartialSchema for AttemptReason {
    fn schema() -> RefOr<Schema> {
        let all = [Self::Unreachable, Self::CountryBarred];
        named("Why a delivery did not arrive, where that helps.", &all)
    }
}

/// Gives each schema a name of its own in the document.
macro_rules! components {
    ($($name:ident),+) => {
        $(impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        })+
    };
}

components!(
    SessionId,
    Locale,
    ErrorCode,
    NextAction,
    AttemptStatus,
    AttemptReason
);
