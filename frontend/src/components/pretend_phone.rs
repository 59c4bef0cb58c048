use std::time::Duration;

use leptos::{either::Either, prelude::*};

use crate::{
    api::{self, Message},
    context::Page,
    i18n::t,
    platform::{clock, document},
    reactive::spawn,
    state::Recipient,
};

/// Polling interval for messages.
const POLL_INTERVAL: Duration = Duration::from_millis(1_500);

/// The sandbox's pretend phone: shows the newest message to the session's recipient,
/// and its code.
#[component]
pub fn PretendPhone() -> impl IntoView {
    let page = Page::expect();
    let newest = RwSignal::new(None::<Message>);
    let is_looking = StoredValue::new(false);
    let fetch = move || {
        let recipient = page
            .flow
            .with_untracked(|flow| flow.session().map(|session| session.recipient.clone()));
        let Some(recipient) = recipient.filter(|_| document::is_visible()) else {
            return;
        };
        if is_looking.get_value() {
            return;
        }
        is_looking.set_value(true);
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
            is_looking.try_set_value(false);
        });
    };
    fetch();
    clock::every(POLL_INTERVAL, fetch);
    let (waits, label) = (t!("pretend-phone-waits"), t!("pretend-phone-code"));
    let screen = move || match newest.get() {
        None => Either::Left(view! { <p class="bubble waiting">{waits}</p> }),
        Some(message) => Either::Right(view! {
            <p class="bubble" dir="auto">
                {message.text}
            </p>
            <p class="bubble-code">
                {label} " "
                <output class="number" data-testid="pretend-phone-code">
                    {message.otp}
                </output>
            </p>
        }),
    };
    view! {
        <section
            class="phone"
            id="pretend-phone"
            data-testid="pretend-phone"
            aria-labelledby="pretend-phone-heading"
        >
            <h2 id="pretend-phone-heading">{t!("pretend-phone")}</h2>
            <div class="screen" id="pretend-phone-screen">
                {screen}
            </div>
        </section>
    }
}
