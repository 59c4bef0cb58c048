//! The texts of one language.
//!
//! In the browser they stay what its JSON parser made of them, and each is read when it
//! is shown: most of them never are.

#[cfg(target_family = "wasm")]
pub use self::browser::Texts;
#[cfg(not(target_family = "wasm"))]
pub use self::native::Texts;

#[cfg(target_family = "wasm")]
mod browser {
    use wasm_bindgen::JsValue;
    use web_sys::js_sys::Reflect;

    /// The texts of one language, by key.
    #[derive(Clone, Debug)]
    pub struct Texts(JsValue);

    impl Texts {
        /// Texts in parsed JSON.
        pub(crate) fn read(json: JsValue) -> Option<Self> {
            json.is_object().then_some(Self(json))
        }

        /// The text of that key.
        pub(crate) fn text(&self, key: &str) -> Option<String> {
            Reflect::get(&self.0, &key.into()).ok()?.as_string()
        }

        /// A plural form, by CLDR category, of the text of that key.
        pub(crate) fn form(&self, key: &str, category: &str) -> Option<String> {
            let forms = Reflect::get(&self.0, &key.into()).ok()?;
            Reflect::get(&forms, &category.into()).ok()?.as_string()
        }
    }
}

/// For prerendering and tests.
#[cfg(not(target_family = "wasm"))]
mod native {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};
    use wasm_bindgen::JsValue;

    use super::super::json;

    /// The texts of one language, by key.
    #[derive(Clone, Debug, Default, Deserialize, Serialize)]
    pub struct Texts(BTreeMap<String, Text>);

    #[derive(Clone, Debug, Deserialize, Serialize)]
    #[serde(untagged)]
    enum Text {
        Plain(String),
        /// Plural forms, by CLDR category.
        Plural(BTreeMap<String, String>),
    }

    impl Texts {
        /// Texts in parsed JSON.
        pub(crate) fn read(json: JsValue) -> Option<Self> {
            json::read(json)
        }

        /// The text of that key.
        pub(crate) fn text(&self, key: &str) -> Option<String> {
            match self.0.get(key)? {
                Text::Plain(text) => Some(text.clone()),
                Text::Plural(_) => None,
            }
        }

        /// A plural form, by CLDR category, of the text of that key.
        pub(crate) fn form(&self, key: &str, category: &str) -> Option<String> {
            match self.0.get(key)? {
                Text::Plain(_) => None,
                Text::Plural(forms) => forms.get(category).cloned(),
            }
        }

        /// These texts, and those of the other language for each that is missing.
        #[cfg(any(feature = "ssr", test))]
        pub(crate) fn or(self, mut other: Self) -> Self {
            other.0.extend(self.0);
            other
        }
    }
}
