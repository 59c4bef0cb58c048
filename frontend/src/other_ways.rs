//! What to do when no code comes.

use countersign_shared::Channel;
use leptos::prelude::*;

use crate::{dynamic, flow::Task, page::Page, text};

/// The code once more, by the same or another channel, or another number.
#[component]
pub(crate) fn OtherWays(page: Page) -> impl IntoView {
    let wait = move || {
        let now = page.now.get();
        page.session(|session| session.resend)
            .map(|resend| resend.seconds_left(now))
    };
    let disabled = move || dynamic::flag(move || page.is_doing(Task::Resend) || wait() != Some(0));
    let other_disabled = move |channel: Channel| {
        dynamic::flag(move || {
            let now = page.now.get();
            let wait = page.session(|session| session.resend_by_in(channel, now));
            page.is_doing(Task::Resend) || wait != Some(0)
        })
    };
    let lacks = move |channel: Channel| {
        dynamic::flag(move || page.first_channel() == channel || !page.offers(channel))
    };
    // Heard once, when the countdown ends; the seconds are for the eye only.
    Effect::new(move |waited: Option<bool>| {
        let left = wait();
        if waited == Some(true) && left == Some(0) {
            page.announcement.set(text::RESEND_READY.to_owned());
        }
        left.is_some_and(|left| left > 0)
    });
    let other = move |channel: Channel, label: &'static str| {
        view! {
            <button
                class="button"
                type="button"
                hidden=lacks(channel)
                aria-disabled=other_disabled(channel)
                on:click=move |_| page.resend(channel)
            >
                {label}
            </button>
        }
    };
    let ended = dynamic::flag(move || page.session(|session| session.ending).is_some());
    view! {
        <section class="other-ways" aria-labelledby="other-ways" hidden=ended>
            <h2 id="other-ways">{text::NO_CODE}</h2>
            <div class="buttons">
                <button
                    class="button number"
                    type="button"
                    aria-disabled=disabled()
                    on:click=move |_| page.resend(untrack(|| page.first_channel()))
                >
                    {dynamic::text(move || text::resend(wait()))}
                </button>
                {other(Channel::Voice, text::CALL_ME)}
                {other(Channel::Whatsapp, text::WHATSAPP_ME)}
            </div>
        </section>
    }
}
