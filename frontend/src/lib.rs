//! Countersign's page: three steps from a phone number to a verified one.
//!
//! Arrows run one way: components → acts → api. What the steps are and how one
//! leads to another is in [`flow`], which knows no browser.

#![expect(
    unreachable_pub,
    reason = "leptos writes a public function for each component"
)]

mod acts;
mod api;
mod app;
mod browser;
mod code_form;
mod country_select;
mod dynamic;
mod enter_code;
mod enter_phone;
mod failure_line;
pub mod flow;
mod json;
mod keys;
mod other_ways;
mod page;
mod pretend_phone;
mod storage;
mod text;
mod verified;

use leptos::{mount::mount_to, prelude::*};
use web_sys::HtmlElement;

use crate::{app::App, page::Page};

/// Puts the page in the place of the form that the HTML shows until now.
pub fn start() {
    if let Some(root) = browser::element("app") {
        std::mem::forget(mount(&root));
    }
}

/// Puts the page into an element. What was typed there before stays typed. The
/// page goes when the answer is dropped.
pub fn mount(root: &HtmlElement) -> impl Sized + use<> {
    let typed = browser::input("phone").map(|input| input.value());
    let had_focus = browser::has_focus("phone");
    root.set_inner_html("");
    let element = root.clone();
    let handle = mount_to(root.clone(), move || {
        let page = Page::new(typed.unwrap_or_default());
        view! { <App page root=element /> }
    });
    if had_focus {
        browser::focus("phone");
    }
    // Only an invalid name could fail.
    let _ = root.set_attribute("data-ready", "");
    handle
}
