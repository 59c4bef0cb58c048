//! The second step: the code.

use std::time::Duration;

use countersign_shared::session::AttemptStatus;
use leptos::{prelude::*, task::spawn_local};

use crate::{
    browser,
    code_form::CodeForm,
    dynamic,
    flow::{Ending, Task},
    other_ways::OtherWays,
    page::Page,
    text,
};

/// How often the delivery is asked about.
const FOLLOW: Duration = Duration::from_secs(4);

/// How many times at most: a message that takes longer is seen on the phone.
const FOLLOWS: u32 = 15;

/// Asks for the code; when the session has ended, offers what helps.
#[component]
pub(crate) fn EnterCode(page: Page) -> impl IntoView {
    follow_delivery(page);
    let sent_to = dynamic::text(move || text::sent_to(page.session(|it| it.channel)).to_owned());
    let number = dynamic::text(move || {
        let recipient = page.session(|session| Some(session.recipient.clone()));
        recipient
            .map(|recipient| page.shown(&recipient))
            .unwrap_or_default()
    });
    let delivery = dynamic::text(move || {
        let line = page.session(|session| match session.ending {
            None => text::delivery(session.channel, session.delivery?, session.reason),
            Some(_) => None,
        });
        line.unwrap_or_default().to_owned()
    });
    let expires = dynamic::text(move || {
        let now = page.now.get();
        let expires = page.session(|session| match session.ending {
            None => session.expires,
            Some(_) => None,
        });
        expires
            .map(|expires| text::expires(expires.seconds_left(now)))
            .unwrap_or_default()
    });
    view! {
        <div class="step">
            <p class="progress">{text::STEP_CODE}</p>
            <h1 id="heading" tabindex="-1">{text::CODE_HEADING}</h1>
            <p class="lead">
                {sent_to} <bdi class="number" dir="ltr" translate="no">{number}</bdi> ". "
                <button class="link" type="button" on:click=move |_| page.change_number()>
                    {text::CHANGE_NUMBER}
                </button>
            </p>
            <CodeForm page />
            <Ended page />
            <p class="hint expires number">{expires}</p>
            <p class="delivery" role="status">{delivery}</p>
            <OtherWays page />
        </div>
    }
}

/// The way on when the session's code is of no more use.
#[component]
fn Ended(page: Page) -> impl IntoView {
    let ending = move || page.session(|session| session.ending);
    let label = dynamic::text(move || match ending() {
        Some(Ending::ChecksExhausted | Ending::AlreadyVerified) => text::START_AGAIN.to_owned(),
        Some(Ending::Expired) | None => text::SEND_NEW_CODE.to_owned(),
    });
    let go_on = move |_| match untrack(ending) {
        Some(Ending::Expired) => page.send_new(),
        Some(Ending::ChecksExhausted | Ending::AlreadyVerified) => page.change_number(),
        None => {}
    };
    view! {
        <button
            id="ended-action"
            class="button main"
            type="button"
            hidden=dynamic::flag(move || ending().is_none())
            aria-disabled=dynamic::flag(move || page.is_doing(Task::Send))
            on:click=go_on
        >
            {label}
        </button>
    }
}

/// Asks now and then whether the code was delivered, until it was.
fn follow_delivery(page: Page) {
    let follows = StoredValue::new(0_u32);
    let ask = move || {
        let is_known = page.flow.with_untracked(|flow| {
            flow.session().is_none_or(|session| {
                matches!(
                    session.delivery,
                    Some(AttemptStatus::Delivered | AttemptStatus::Undelivered)
                )
            })
        });
        if !is_known && browser::is_visible() && follows.get_value() < FOLLOWS {
            follows.update_value(|count| *count += 1);
            spawn_local(page.follow());
        }
    };
    if let Ok(interval) = set_interval_with_handle(ask, FOLLOW) {
        on_cleanup(move || interval.clear());
    }
}
