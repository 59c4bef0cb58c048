//! The frame around the steps: brand, banner, which step is seen, what is
//! announced.

use std::time::Duration;

use leptos::prelude::*;
use web_sys::HtmlElement;

use crate::{
    acts::focus_after_render,
    browser, dom,
    enter_code::enter_code,
    enter_phone::enter_phone,
    host::{Host, Outcome},
    language::language,
    page::Page,
    pretend_phone::pretend_phone,
    verified::verified,
};

/// How often countdowns are looked at. More than once a second, so that none
/// skips one.
const TICK: Duration = Duration::from_millis(250);

/// Brings the whole page to life.
pub(crate) fn app(page: Page, root: HtmlElement) {
    let step = Memo::new(move |_| page.flow.with(|flow| flow.step.name()));
    let pressed = root.has_attribute("data-pressed");
    language(page, root.clone());
    show_step(page, step, root);
    move_focus(step);
    keep_time(page);
    dom::text("announcement", move || page.announcement.get());
    // Until the set-up is there, the server has said so.
    let is_sandbox = browser::element("sandbox").is_some_and(|it| !it.has_attribute("hidden"));
    dom::hidden("sandbox", move || {
        let known = page
            .config
            .with(|config| config.as_ref().map(|config| config.sandbox));
        !known.unwrap_or(is_sandbox)
    });
    let brand = browser::text("brand");
    dom::text("brand", move || {
        page.brand().unwrap_or_else(|| brand.clone())
    });
    dom::hidden("cancel", move || {
        step.get() == "verified" || !page.host.with_value(Host::is_there)
    });
    dom::on("cancel", "click", move || {
        page.host.with_value(|host| host.tell(Outcome::Cancelled));
    });
    enter_phone(page);
    enter_code(page);
    verified(page);
    pretend_phone(page);
    page.open(pressed);
}

/// Shows one step, and names it: on the root element and on the tab.
fn show_step(page: Page, step: Memo<&'static str>, root: HtmlElement) {
    dom::follow(move || {
        // Only an invalid name could fail.
        let _ = root.set_attribute("data-step", step.get());
    });
    for name in ["enter-phone", "enter-code", "verified"] {
        dom::hidden(name, move || step.get() != name);
    }
    dom::follow(move || {
        let heading = match step.get() {
            "enter-phone" => "phone-heading",
            "enter-code" => "code-heading",
            _ => "verified-heading",
        };
        let title = match page.brand() {
            Some(brand) => format!("{} · {brand}", page.text(heading)),
            None => page.text(heading),
        };
        let has_failed = page.flow.with(|flow| flow.failure.is_some());
        let title = if has_failed {
            page.say(|texts| texts.filled("title-error", &title))
        } else {
            title
        };
        browser::set_title(&title);
    });
}

/// Takes the focus along to a new step. The first step of a visit leaves it
/// where the person has put it.
fn move_focus(step: Memo<&'static str>) {
    let visited = StoredValue::new(false);
    dom::follow(move || {
        match step.get() {
            "enter-phone" if visited.get_value() => focus_after_render("phone"),
            "enter-code" => focus_after_render("code"),
            "verified" => focus_after_render("verified-heading"),
            _ => {}
        }
        visited.set_value(true);
    });
}

/// Lets time pass while the page is there, and looks again when it is seen again or
/// the network is back.
fn keep_time(page: Page) {
    browser::every(TICK, move || page.tick());
    for event in ["visibilitychange", "online"] {
        let listener = window_event_listener_untyped(event, move |_| {
            if browser::is_visible() {
                page.look_again();
            }
        });
        on_cleanup(move || listener.remove());
    }
}
