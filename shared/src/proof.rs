//! What a verified number is worth: a proof that an application's own server can
//! check.

use serde::{Deserialize, Serialize};

use crate::Purpose;

/// Where a proof is asked about (RFC 7662).
pub const INTROSPECT_PATH: &str = "/api/proofs/introspect";
/// Where the public keys are (RFC 7517).
pub const KEYS_PATH: &str = "/.well-known/jwks.json";
/// The `typ` of a proof's header, so that nothing else that is signed with the
/// same key is taken for one (RFC 8725, 3.11).
pub const TYPE: &str = "countersign-proof+jwt";

/// What a proof says (RFC 7519). The number's claims bear the names of
/// `OpenID` Connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Claims {
    /// Who says it: `PROOF_ISSUER`.
    pub iss: String,
    /// For whom: the application's audience.
    pub aud: String,
    /// Since when, in seconds since 1970.
    pub iat: u64,
    /// Until when, in seconds since 1970.
    pub exp: u64,
    /// This proof's own name, another one each time.
    pub jti: String,
    /// A name for this number at this application, the same in each of its proofs. It
    /// names a number and no person: numbers are given to others.
    pub sub: String,
    /// When the code was accepted, in seconds since 1970.
    pub auth_time: u64,
    /// The number, in E.164.
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::e164))]
    pub phone_number: String,
    /// Always true.
    pub phone_number_verified: bool,
    /// How it was verified (RFC 8176): `otp`, and how the code travelled where
    /// there is a word for it, `sms` or `tel`.
    pub amr: Vec<String>,
    /// What the application gave with the send, so that it knows its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub nonce: Option<String>,
    /// What the verification was for, where the send said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub purpose: Option<Purpose>,
    /// True where nothing was really sent. A live application refuses it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sandbox: bool,
}

/// What is known of a token: its claims, or nothing at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introspection {
    /// Whether it is a proof of ours that holds.
    pub active: bool,
    /// What it says, then only.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Claims>,
}

/// The schema of what a derive cannot see: two forms that `active` tells apart. Each has a
/// name, which generators of clients need.
#[cfg(feature = "openapi")]
mod schema {
    use std::borrow::Cow;

    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{
            AllOfBuilder, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, Type,
            extensions::Extensions, schema::AdditionalProperties,
        },
    };

    use super::{Claims, Introspection};

    /// An object whose `active` is always the same.
    fn active(is: bool, said: &str) -> ObjectBuilder {
        let word = ObjectBuilder::new()
            .schema_type(Type::Boolean)
            .extensions(Some(Extensions::from_iter([("const", is)])));
        ObjectBuilder::new()
            .description(Some(said))
            .property("active", word)
            .required("active")
    }

    impl PartialSchema for Introspection {
        fn schema() -> RefOr<Schema> {
            OneOfBuilder::new()
                .description(Some("What is known of a token: its claims, or nothing."))
                .item(Ref::from_schema_name("ActiveProof"))
                .item(Ref::from_schema_name("InactiveProof"))
                .into()
        }
    }

    impl ToSchema for Introspection {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("Introspection")
        }

        fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            let holds = "It is a proof of ours, and it holds.";
            let holds = AllOfBuilder::new()
                .item(active(true, holds))
                .item(Ref::from_schema_name(Claims::name()));
            let over = "It is forged, over, consumed, or of another service.";
            let over = active(false, over)
                .additional_properties(Some(AdditionalProperties::FreeForm(false)));
            schemas.extend([
                ("ActiveProof".to_owned(), holds.into()),
                ("InactiveProof".to_owned(), over.into()),
                (Claims::name().into_owned(), Claims::schema()),
            ]);
            Claims::schemas(schemas);
        }
    }
}
