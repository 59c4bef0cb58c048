use countersign_shared::Channel;
use leptos::prelude::*;

use crate::{
    actions::Actions,
    components::Button,
    context::Page,
    i18n::{self, Key, key, t},
    reactive::{effect, flag},
    state::Task,
};

/// Resend buttons: the same channel, and each other one that is offered.
#[component]
pub fn OtherWays() -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    let wait = move || {
        let now = page.now.get();
        page.session(|session| session.resend_in(now))
    };
    // Announced once, when the countdown ends; the ticking seconds are only visible.
    let mut has_waited = false;
    effect(move || {
        let left = wait();
        if has_waited && left == Some(0) {
            page.announcement.set(page.i18n.get(key!("resend-ready")));
        }
        has_waited = left.is_some_and(|left| left > 0);
    });
    let is_off = move || page.is_doing(Task::Resend) || wait() != Some(0);
    let resend = Signal::derive(move || match wait() {
        Some(left @ 1..) => page
            .i18n
            .with(|language| language.filled(key!("resend-wait"), &language.clock(left))),
        Some(0) | None => page.i18n.get(key!("resend")),
    });
    view! {
        <section class="other-ways" id="other-ways" aria-labelledby="no-code">
            <h2 id="no-code">{t!("no-code")}</h2>
            <div class="buttons">
                <Button
                    class="button number"
                    id="resend"
                    text=resend
                    is_off=flag(is_off)
                    on_press=move |()| actions.resend(untrack(|| page.last_channel()))
                />
                <OtherChannel channel=Channel::Sms id="by-sms" text=key!("by-sms") />
                <OtherChannel channel=Channel::Voice id="by-voice" text=key!("by-voice") />
                <OtherChannel channel=Channel::Whatsapp id="by-whatsapp" text=key!("by-whatsapp") />
            </div>
        </section>
    }
}

/// The resend button of another channel than the last one, if it is offered.
#[component]
fn OtherChannel(channel: Channel, id: &'static str, text: Key) -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    let is_other = Memo::new(move |_| page.last_channel() != channel && page.offers(channel));
    let is_off = flag(move || {
        let now = page.now.get();
        let wait = page.session(|session| session.resend_by_in(channel, now));
        page.is_doing(Task::Resend) || wait != Some(0)
    });
    move || {
        is_other.get().then(|| {
            view! {
                <Button
                    class="button"
                    id=id
                    text=i18n::text(text)
                    is_off=is_off
                    on_press=move |()| actions.resend(channel)
                />
            }
        })
    }
}
