//! JSON through the browser's own parser: `serde_json` would be a seventh of the page's
//! size budget.

use std::fmt;

use serde::{
    Deserializer, Serialize,
    de::{
        DeserializeOwned, DeserializeSeed, Error, Expected, IntoDeserializer, SeqAccess,
        Unexpected, Visitor,
    },
    forward_to_deserialize_any,
};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::js_sys::{Array, JSON, Object, Reflect};

/// Parses JSON; none if it is malformed.
pub(crate) fn parse(text: &str) -> Option<JsValue> {
    JSON::parse(text).ok()
}

/// Deserializes a parsed value; none if it has another shape.
pub(crate) fn read<T: DeserializeOwned>(value: JsValue) -> Option<T> {
    T::deserialize(Value(value)).ok()
}

/// Serializes to JSON; none if that fails.
pub(crate) fn write(value: &impl Serialize) -> Option<String> {
    let value = serde_wasm_bindgen::to_value(value).ok()?;
    JSON::stringify(&value).ok()?.as_string()
}

/// Deserializer over values made by `JSON.parse`. serde-wasm-bindgen does the same,
/// with error messages that are never shown here and are as large as the phone step.
struct Value(JsValue);

/// The value has another shape. Carries no message, because none is ever shown.
#[derive(Debug)]
struct OtherForm;

impl fmt::Display for OtherForm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("another form")
    }
}

impl std::error::Error for OtherForm {}

impl Error for OtherForm {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }

    // The defaults of these methods would format messages.
    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = OtherForm;

    /// For kinds of values that the API has none of, such as maps.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, OtherForm> {
        Err(OtherForm)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OtherForm> {
        visitor.visit_string(self.0.as_string().ok_or(OtherForm)?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OtherForm> {
        visitor.visit_bool(self.0.as_bool().ok_or(OtherForm)?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OtherForm> {
        let number = self.0.as_f64().and_then(whole);
        visitor.visit_u64(number.ok_or(OtherForm)?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OtherForm> {
        if !Array::is_array(&self.0) {
            return Err(OtherForm);
        }
        visitor.visit_seq(Values(Box::new(Array::from(&self.0).into_iter())))
    }

    /// Derived code reads structs as sequences too. That is smaller than as maps, whose
    /// keys come in any order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, OtherForm> {
        let object = self.0.dyn_into::<Object>().map_err(|_| OtherForm)?;
        let values = fields
            .iter()
            .map(move |field| Reflect::get(&object, &(*field).into()).unwrap_or_default());
        visitor.visit_seq(Values(Box::new(values)))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OtherForm> {
        if self.0.is_null() || self.0.is_undefined() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, OtherForm> {
        let name = self.0.as_string().ok_or(OtherForm)?;
        visitor.visit_enum(name.into_deserializer())
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OtherForm> {
        self.deserialize_string(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OtherForm> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OtherForm> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OtherForm> {
        self.deserialize_u64(visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 f32 f64 char bytes byte_buf unit unit_struct newtype_struct tuple
        tuple_struct map identifier ignored_any
    }
}

/// Numbers in the API are counts, small enough for a JavaScript number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "only a number that is the same after the way there and back counts"
)]
fn whole(number: f64) -> Option<u64> {
    let whole = number as u64;
    (whole as f64 == number).then_some(whole)
}

/// The items of an array, or the fields of an object in the order of the type's.
struct Values(Box<dyn Iterator<Item = JsValue>>);

impl<'de> SeqAccess<'de> for Values {
    type Error = OtherForm;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, OtherForm> {
        let Some(value) = self.0.next() else {
            return Ok(None);
        };
        let is_missing = value.is_undefined();
        match seed.deserialize(Value(value)) {
            // The field's default is used, if it has one.
            Err(OtherForm) if is_missing => Ok(None),
            read => read.map(Some),
        }
    }
}
