//! The user on whose behalf an application's server calls.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// Maximum length of a user's id, in bytes.
pub const MAX_ID: usize = 255;

/// The user on whose behalf an application's server calls. Limits count the user instead
/// of the server; only keyed hashes of these values are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EndUser {
    /// The IP address from which the user reached that server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(examples("203.0.113.7")))]
    pub address: Option<String>,
    /// The application's own id for the user: 1 to 255 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(examples("user-4711"), min_length = 1, max_length = 255)
    )]
    pub id: Option<String>,
}

/// Deserialises an object, or `None` from `null`: serde's own implementation would also
/// accept a list of the fields' values.
pub(crate) fn from_object<'de, D>(deserializer: D) -> Result<Option<EndUser>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Object;

    impl<'de> Visitor<'de> for Object {
        type Value = Option<EndUser>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            EndUser::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }

    deserializer.deserialize_any(Object)
}
