//! Countersign's page: three steps from a phone number to a verified one.
//!
//! The markup stands in `index.html`, so that it is seen before this program is
//! there; [`mount`] brings it to life. Arrows run one way: steps → acts → api.
//! What the steps are and how one leads to another is in [`flow`], which knows
//! no browser.

mod acts;
mod api;
mod app;
mod browser;
mod checks;
mod countries;
mod deliveries;
mod dom;
mod enter_code;
mod enter_phone;
pub mod flow;
mod host;
mod json;
mod keys;
mod language;
mod other_ways;
mod page;
mod pretend_phone;
mod spawn;
mod storage;
mod texts;
mod verified;
mod web_otp;

use leptos::prelude::*;
use web_sys::HtmlElement;

use crate::{host::Host, page::Page, spawn::spawn, texts::Texts};

/// Brings the page to life.
pub fn start() {
    if let Some(root) = browser::element("app") {
        std::mem::forget(mount(&root));
    }
}

/// Brings the page's markup inside an element to life, once its words are there.
/// What was typed there before stays typed. The page goes when the answer is
/// dropped.
pub fn mount(root: &HtmlElement) -> impl Sized + use<> {
    // Fails where it is done already, as in tests.
    let _ = any_spawner::Executor::init_wasm_bindgen();
    let owner = Owner::new();
    match language::first() {
        "en" => owner.with(|| enliven(root.clone(), Texts::english())),
        locale => {
            let (owner, root) = (owner.clone(), root.clone());
            spawn(async move {
                let texts = Texts::of(locale).await;
                owner.with(|| enliven(root, texts));
            });
        }
    }
    owner
}

fn enliven(root: HtmlElement, texts: Texts) {
    if root.get_attribute("data-step").as_deref() == Some("refused") {
        let page = Page::new(String::new(), Host::default(), texts);
        language::language(page, root);
        return;
    }
    let page = Page::new(browser::value("phone"), Host::of(&root), texts);
    app::app(page, root.clone());
    spawn(async move {
        // Once everything has been put on the page.
        leptos::task::tick().await;
        // Only an invalid name could fail.
        let _ = root.set_attribute("data-ready", "");
    });
}
