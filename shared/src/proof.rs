//! The proof of a verified number, which an application's own server can check.

use serde::{Deserialize, Serialize};

use crate::Purpose;

/// Path of the introspection endpoint (RFC 7662).
pub const INTROSPECT_PATH: &str = "/api/proofs/introspect";
/// Path of the public keys (RFC 7517).
pub const KEYS_PATH: &str = "/.well-known/jwks.json";
/// The `typ` of a proof's header, so that nothing else signed with the same key can be
/// taken for a proof (RFC 8725, 3.11).
pub const TYPE: &str = "countersign-proof+jwt";

/// The claims of a proof (RFC 7519). Those about the number have the names of `OpenID`
/// Connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Claims {
    /// The issuer: `PROOF_ISSUER`.
    pub iss: String,
    /// The audience: the application's.
    pub aud: String,
    /// When it was issued, in seconds since 1970.
    pub iat: u64,
    /// When it expires, in seconds since 1970.
    pub exp: u64,
    /// Unique id of this proof.
    pub jti: String,
    /// Id of this number at this application, the same in each of its proofs. It
    /// identifies a number, not a person: numbers are reassigned.
    pub sub: String,
    /// When the code was accepted, in seconds since 1970.
    pub auth_time: u64,
    /// The number, in E.164.
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::schema::e164))]
    pub phone_number: String,
    /// Always true.
    pub phone_number_verified: bool,
    /// How it was verified (RFC 8176): `otp`, and the channel if there is a registered
    /// value for it, `sms` or `tel`.
    pub amr: Vec<String>,
    /// The nonce that the application passed to send, so that it recognises its own
    /// proofs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub nonce: Option<String>,
    /// The purpose of the verification, if send gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub purpose: Option<Purpose>,
    /// True if nothing was really sent. A live application must refuse it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sandbox: bool,
}

/// The result of an introspection: the claims of a valid proof, or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introspection {
    /// Whether the token is a valid proof of ours.
    pub active: bool,
    /// Its claims, only if it is active.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Claims>,
}

/// The schema, which a derive cannot generate: two forms, distinguished by `active`. Each has
/// a name, which generators of clients need.
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
