//! The frame around the steps: brand, banner, the step's card.

use std::time::Duration;

use leptos::prelude::*;
use web_sys::HtmlElement;

use crate::{
    acts::focus_after_render,
    browser, dynamic,
    enter_code::EnterCode,
    enter_phone::EnterPhone,
    flow::{Recipient, Step},
    page::Page,
    pretend_phone::PretendPhone,
    text,
    verified::Verified,
};

/// How often countdowns are looked at. More than once a second, so that none
/// skips one.
const TICK: Duration = Duration::from_millis(250);

/// What is drawn anew when it changes; the rest of the flow changes within it.
#[derive(Clone, PartialEq)]
enum Shown {
    EnterPhone,
    EnterCode,
    Verified(Recipient),
}

/// The whole page, on its root element.
#[component]
pub(crate) fn App(page: Page, root: HtmlElement) -> impl IntoView {
    let shown = Memo::new(move |_| {
        page.flow.with(|flow| match &flow.step {
            Step::EnterPhone => Shown::EnterPhone,
            Step::EnterCode(_) => Shown::EnterCode,
            Step::Verified(recipient) => Shown::Verified(recipient.clone()),
        })
    });
    name_step(page, shown, root);
    move_focus(shown);
    keep_time(page);
    page.open();

    let brand = dynamic::text(move || page.brand());
    let banner = move || {
        page.is_sandbox().then(|| {
            view! { <p class="banner" data-testid="sandbox-banner">{text::SANDBOX}</p> }
        })
    };
    let pretend_phone = move || {
        let is_there = page.is_sandbox() && shown.get() == Shown::EnterCode;
        is_there.then(|| view! { <PretendPhone page /> })
    };
    view! {
        <header>
            <div class="brand">
                <span class="brand-mark" aria-hidden="true"></span>
                <span class="brand-name">{brand}</span>
            </div>
            {banner}
        </header>
        <div class="stage">
            <main class="card">
                {move || match shown.get() {
                    Shown::EnterPhone => view! { <EnterPhone page /> }.into_any(),
                    Shown::EnterCode => view! { <EnterCode page /> }.into_any(),
                    Shown::Verified(recipient) => view! { <Verified page recipient /> }.into_any(),
                }}
            </main>
            {pretend_phone}
        </div>
        <p class="visually-hidden" role="status">
            {dynamic::text(move || page.announcement.get())}
        </p>
    }
}

/// Tells the step to the root element and to the tab's title.
fn name_step(page: Page, shown: Memo<Shown>, root: HtmlElement) {
    Effect::new(move |_| {
        let name = page.flow.with(|flow| flow.step.name());
        // Only an invalid name could fail.
        let _ = root.set_attribute("data-step", name);
    });
    Effect::new(move |_| {
        let heading = match shown.get() {
            Shown::EnterPhone => text::PHONE_HEADING,
            Shown::EnterCode => text::CODE_HEADING,
            Shown::Verified(_) => text::VERIFIED_HEADING,
        };
        let failed = page.flow.with(|flow| flow.failure.is_some());
        browser::set_title(&text::title(heading, &page.brand(), failed));
    });
}

/// Takes the focus along to a new step. The first step of a visit leaves it
/// where the person has put it.
fn move_focus(shown: Memo<Shown>) {
    Effect::new(move |visited: Option<()>| match shown.get() {
        Shown::EnterPhone if visited.is_none() => {}
        Shown::EnterPhone => focus_after_render("phone"),
        Shown::EnterCode => focus_after_render("code"),
        Shown::Verified(_) => focus_after_render("heading"),
    });
}

/// Lets time pass while the page is there, and looks again when it is seen again.
fn keep_time(page: Page) {
    if let Ok(interval) = set_interval_with_handle(move || page.tick(), TICK) {
        on_cleanup(move || interval.clear());
    }
    let listener = window_event_listener_untyped("visibilitychange", move |_| {
        if browser::is_visible() {
            page.look_again();
        }
    });
    on_cleanup(move || listener.remove());
}
