//! Countersign's page: three steps from a phone number to a verified one.
//!
//! Components (`components/`) are derived from signals in a context (`context`). The
//! user's actions are in `actions`; `answers` applies the responses to them. The rules
//! are in [`state`], which knows no browser. The first paint needs no program: the same
//! components are prerendered when the page is built (`bin/prerender.rs`), and
//! [`start`] hydrates them.

mod actions;
mod answers;
mod api;
pub mod app;
pub mod components;
mod context;
pub mod i18n;
mod platform;
#[cfg(feature = "ssr")]
pub mod prerender;
mod reactive;
pub mod state;

#[cfg(feature = "hydrate")]
use {
    app::{App, Start},
    i18n::{Language, Texts},
    leptos::prelude::*,
    platform::{document, json},
};

/// Hydrates the page, for as long as it is open.
#[cfg(feature = "hydrate")]
pub fn start() {
    if let Some(page) = mount() {
        page.forget();
    }
}

/// Hydrates the prerendered document, until the returned handle is dropped. With `trunk
/// serve` and in tests nothing is prerendered, and the page is rendered here.
#[cfg(feature = "hydrate")]
pub fn mount() -> Option<leptos::mount::UnmountHandle<impl leptos::tachys::view::Mountable>> {
    let mount_point = document::mount_point()?;
    let start = Start::named(&document::attribute("data-start").unwrap_or_default());
    let rendered = document::texts().and_then(|texts| {
        let texts = Texts::read(json::parse(&texts)?)?;
        Some(Language::new(&document::attribute("lang")?, texts))
    });
    let page = match rendered {
        Some(language) => {
            let app = move || view! { <App start language /> };
            leptos::mount::hydrate_from(mount_point.clone(), app)
        }
        #[cfg(debug_assertions)]
        None => {
            let language = Language::new("en", Texts::read(json::parse(i18n::ENGLISH)?)?);
            let app = move || view! { <App start language /> };
            leptos::mount::mount_to(mount_point.clone(), app)
        }
        #[cfg(not(debug_assertions))]
        None => return None,
    };
    reactive::spawn(async move {
        // After the effects have run.
        leptos::task::tick().await;
        document::set_attribute("data-ready", "");
        // Only an invalid name could fail.
        let _ = mount_point.set_attribute("data-ready", "");
    });
    Some(page)
}
