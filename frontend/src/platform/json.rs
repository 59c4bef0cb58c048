//! JSON through the browser's own parser: `serde_json` would be a seventh of the page's
//! size budget.

use std::fmt;

use serde::{
    Deserializer, Serialize,
    de::{
        DeserializeOwned, DeserializeSeed, Error, Expected, IntoDeserializer, MapAccess, SeqAccess,
        Unexpected, Visitor,
    },
    forward_to_deserialize_any,
};
use wasm_bindgen::JsValue;
use web_sys::js_sys::{Array, JSON, Object};

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

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }

    fn missing_field(_: &'static str) -> Self {
        Self
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = OtherForm;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OtherForm> {
        if let Some(text) = self.0.as_string() {
            visitor.visit_string(text)
        } else if let Some(flag) = self.0.as_bool() {
            visitor.visit_bool(flag)
        } else if let Some(number) = self.0.as_f64() {
            visitor.visit_u64(whole(number).ok_or(OtherForm)?)
        } else if self.0.is_null() {
            visitor.visit_unit()
        } else if Array::is_array(&self.0) {
            visitor.visit_seq(Items(Array::from(&self.0)))
        } else {
            visitor.visit_map(Entries {
                left: Object::entries(&Object::from(self.0)),
                value: JsValue::UNDEFINED,
            })
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OtherForm> {
        if self.0.is_null() {
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

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
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

/// The remaining items of an array, in reverse.
struct Items(Array);

impl<'de> SeqAccess<'de> for Items {
    type Error = OtherForm;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, OtherForm> {
        if self.0.length() == 0 {
            return Ok(None);
        }
        seed.deserialize(Value(self.0.shift())).map(Some)
    }
}

/// The remaining entries of an object, and the value of the key read last.
struct Entries {
    left: Array,
    value: JsValue,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = OtherForm;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, OtherForm> {
        if self.left.length() == 0 {
            return Ok(None);
        }
        let entry = Array::from(&self.left.shift());
        self.value = entry.get(1);
        seed.deserialize(Value(entry.get(0))).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, OtherForm> {
        seed.deserialize(Value(self.value.clone()))
    }
}
