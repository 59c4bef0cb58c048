//! Codes that the browser reads out of a text message itself (WebOTP).
//!
//! If the browser supports it and the message ends with this page's host and the code,
//! the user only has to confirm. Otherwise nothing happens.

use std::time::Duration;

use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, CredentialRequestOptions,
    js_sys::{Array, Object, Reflect},
};

/// Timeout of a request.
const PATIENCE: Duration = Duration::from_mins(1);

/// A WebOTP request, aborted when dropped.
pub(crate) struct Watch {
    controller: AbortController,
    timeout: Option<TimeoutHandle>,
}

impl Watch {
    /// Starts a request; none if the browser does not support it.
    pub(crate) fn begin() -> Option<(Self, impl Future<Output = Option<String>> + use<>)> {
        let window = super::window()?;
        Reflect::has(&window, &"OTPCredential".into())
            .ok()
            .filter(|has| *has)?;
        let controller = AbortController::new().ok()?;
        let otp = Object::new();
        Reflect::set(&otp, &"transport".into(), &Array::of1(&"sms".into())).ok()?;
        let options = CredentialRequestOptions::new();
        Reflect::set(&options, &"otp".into(), &otp).ok()?;
        options.set_signal(&controller.signal());
        let asked = window
            .navigator()
            .credentials()
            .get_with_options(&options)
            .ok()?;
        let expiring = controller.clone();
        let timeout = set_timeout_with_handle(move || expiring.abort(), PATIENCE).ok();
        let code = async move {
            let credential = JsFuture::from(asked).await.ok()?;
            Reflect::get(&credential, &"code".into()).ok()?.as_string()
        };
        Some((
            Self {
                controller,
                timeout,
            },
            code,
        ))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.controller.abort();
        if let Some(timeout) = self.timeout {
            timeout.clear();
        }
    }
}
