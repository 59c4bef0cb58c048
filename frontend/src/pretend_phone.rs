//! In sandbox, the phone that the code would have gone to.

use std::time::Duration;

use leptos::{mount::mount_to, prelude::*};

use crate::{
    api::{self, Message},
    browser, dom,
    flow::{Recipient, Step},
    page::Page,
    spawn::spawn,
};

/// How often the phone is looked at.
const POLL: Duration = Duration::from_millis(1_500);

/// Shows the newest message to the session's recipient, and its code.
pub(crate) fn pretend_phone(page: Page) {
    let newest = RwSignal::new(None::<Message>);
    let looking = StoredValue::new(false);
    let is_there = Memo::new(move |_| {
        page.is_sandbox()
            && page
                .flow
                .with(|flow| matches!(flow.step, Step::EnterCode(_)))
    });
    dom::hidden("pretend-phone", move || !is_there.get());
    let look = move || {
        let recipient = page
            .flow
            .with_untracked(|flow| flow.session().map(|session| session.recipient.clone()));
        let Some(recipient) = recipient.filter(|_| is_there.get_untracked()) else {
            return;
        };
        if looking.get_value() || !browser::is_visible() {
            return;
        }
        looking.set_value(true);
        spawn(async move {
            let number = match &recipient {
                Recipient::Known(number) => Some(number.as_str()),
                Recipient::Masked(_) => None,
            };
            let messages = api::sandbox_messages(number).await.unwrap_or_default();
            let message = messages
                .into_iter()
                .find(|message| recipient.may_be(&message.recipient));
            if newest.try_get_untracked().is_some_and(|old| old != message) {
                newest.set(message);
            }
            looking.try_set_value(false);
        });
    };
    dom::follow(move || {
        newest.set(None);
        if is_there.get() {
            look();
        }
    });
    browser::every(POLL, look);
    if let Some(screen) = browser::element("pretend-phone-screen") {
        let mounted = StoredValue::new_local(None);
        dom::follow(move || {
            let message = newest.get();
            let (waits, label) = (
                page.text("pretend-phone-waits"),
                page.text("pretend-phone-code"),
            );
            mounted.set_value(Some(mount_to(screen.clone(), move || {
                view! { <Screen message waits label /> }
            })));
        });
    }
}

#[component]
fn Screen(message: Option<Message>, waits: String, label: String) -> impl IntoView {
    let (text, otp) = match message {
        Some(message) => (message.text, Some(message.otp)),
        None => (waits, None),
    };
    let code = otp.map(|otp| {
        view! {
            <p class="bubble-code">
                {label} " "
                <output class="number" data-testid="pretend-phone-code">{otp}</output>
            </p>
        }
    });
    view! {
        <p class="bubble" dir="auto">{text}</p>
        {code}
    }
}
