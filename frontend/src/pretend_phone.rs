//! In sandbox, the phone that the code would have gone to.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

use crate::{
    api::{self, Message},
    browser, dynamic,
    flow::Recipient,
    page::Page,
    text,
};

/// How often the phone is looked at.
const POLL: Duration = Duration::from_millis(1_500);

/// Shows the newest message to the session's recipient, and its code.
#[component]
pub(crate) fn PretendPhone(page: Page) -> impl IntoView {
    let newest = RwSignal::new(None::<Message>);
    let looking = StoredValue::new(false);
    let look = move || {
        let recipient = page
            .flow
            .with_untracked(|flow| flow.session().map(|session| session.recipient.clone()));
        let Some(recipient) = recipient else { return };
        if looking.get_value() || !browser::is_visible() {
            return;
        }
        looking.set_value(true);
        spawn_local(async move {
            let number = match &recipient {
                Recipient::Known(number) => Some(number.as_str()),
                Recipient::Masked(_) => None,
            };
            let messages = api::sandbox_messages(number).await.unwrap_or_default();
            let message = messages
                .into_iter()
                .find(|message| recipient.may_be(&message.recipient));
            if message.is_some() && newest.try_get_untracked().is_some_and(|old| old != message) {
                newest.set(message);
            }
            looking.try_set_value(false);
        });
    };
    look();
    if let Ok(interval) = set_interval_with_handle(look, POLL) {
        on_cleanup(move || interval.clear());
    }
    let message = dynamic::text(move || match newest.get() {
        Some(message) => message.text,
        None => text::PRETEND_PHONE_WAITS.to_owned(),
    });
    let code = move || {
        newest.get().map(|message| {
            view! {
                <p class="bubble-code">
                    {text::PRETEND_PHONE_CODE} " "
                    <output class="number" data-testid="pretend-phone-code">
                        {message.otp}
                    </output>
                </p>
            }
        })
    };
    view! {
        <aside class="phone" data-testid="pretend-phone" aria-labelledby="pretend-phone">
            <h2 id="pretend-phone">{text::PRETEND_PHONE}</h2>
            <div class="screen">
                <p class="bubble">{message}</p>
                {code}
            </div>
        </aside>
    }
}
