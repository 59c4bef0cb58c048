//! What to do when no code comes: the code once more, by the same or another
//! channel.

use countersign_shared::Channel;
use leptos::prelude::*;

use crate::{dom, flow::Task, page::Page};

/// The buttons that have the code sent once more.
pub(crate) fn other_ways(page: Page) {
    dom::hidden("other-ways", move || {
        page.session(|session| session.ending).is_some()
    });
    let wait = move || {
        let now = page.now.get();
        page.session(|session| session.resend_in(now))
    };
    dom::flag("resend", "aria-disabled", move || {
        page.is_doing(Task::Resend) || wait() != Some(0)
    });
    dom::text("resend", move || match wait() {
        Some(left @ 1..) => page.say(|texts| texts.filled("resend-wait", &texts.clock(left))),
        Some(0) | None => page.text("resend"),
    });
    dom::on("resend", "click", move || {
        page.resend(untrack(|| page.last_channel()));
    });
    for (id, channel) in [
        ("by-sms", Channel::Sms),
        ("by-voice", Channel::Voice),
        ("by-whatsapp", Channel::Whatsapp),
    ] {
        dom::hidden(id, move || {
            page.last_channel() == channel || !page.offers(channel)
        });
        dom::flag(id, "aria-disabled", move || {
            let now = page.now.get();
            let wait = page.session(|session| session.resend_by_in(channel, now));
            page.is_doing(Task::Resend) || wait != Some(0)
        });
        dom::on(id, "click", move || page.resend(channel));
    }
    // Heard once, when the countdown ends; the seconds are for the eye only.
    let waited = StoredValue::new(false);
    dom::follow(move || {
        let left = wait();
        if waited.get_value() && left == Some(0) {
            page.announcement.set(page.text("resend-ready"));
        }
        waited.set_value(left.is_some_and(|left| left > 0));
    });
}
