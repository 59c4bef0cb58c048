//! The second step: the code.

use std::time::Duration;

use countersign_shared::{Channel, session::AttemptStatus};
use leptos::prelude::*;

use crate::{
    browser, deliveries, dom,
    flow::{self, Ending, Flow, Step, Task},
    other_ways,
    page::Page,
    spawn::spawn,
    web_otp::Watch,
};

/// How often the delivery is asked about.
const FOLLOW: Duration = Duration::from_secs(4);

/// How many times at most: a message that takes longer is seen on the phone.
const FOLLOWS: u32 = 15;

/// Asks for the code; when the session has ended, offers what helps.
pub(crate) fn enter_code(page: Page) {
    let ending = move || page.session(|session| session.ending);
    dom::sentence("sent-to", move || {
        let text = page.text(sent_to(page.session(|session| session.channel)));
        let recipient = page.session(|session| Some(session.recipient.clone()));
        let number = recipient.map(|recipient| page.shown(&recipient));
        (text, number.unwrap_or_default())
    });
    dom::on("change-number", "click", move || page.change_number());
    code_field(page);
    dom::text("expires", move || {
        let now = page.now.get();
        let left = page.session(|session| match session.ending {
            None => session.expires_in(now),
            Some(_) => None,
        });
        left.map_or_else(String::new, |left| {
            page.say(|texts| texts.filled("expires", &texts.clock(left)))
        })
    });
    dom::hidden("ended-action", move || ending().is_none());
    dom::flag("ended-action", "aria-disabled", move || {
        page.is_doing(Task::Send)
    });
    dom::text("ended-action", move || {
        page.text(match ending() {
            Some(Ending::ChecksExhausted) => "start-again",
            Some(Ending::Expired | Ending::AlreadyVerified) | None => "send-new-code",
        })
    });
    dom::on("ended-action", "click", move || match untrack(ending) {
        Some(Ending::Expired | Ending::AlreadyVerified) => page.send_new(),
        Some(Ending::ChecksExhausted) => page.change_number(),
        None => {}
    });
    deliveries::deliveries(page);
    other_ways::other_ways(page);
    follow_delivery(page);
    watch_messages(page);
}

/// What has happened, by the channel.
pub(crate) const fn sent_to(channel: Option<Channel>) -> &'static str {
    match channel {
        Some(Channel::Sms) => "sent-sms",
        Some(Channel::Voice) => "sent-voice",
        Some(Channel::Whatsapp) => "sent-whatsapp",
        None => "sent",
    }
}

/// The code's field and its button.
fn code_field(page: Page) {
    let length = move || {
        page.session(|session| session.otp_length)
            .unwrap_or(flow::USUAL_LENGTH)
    };
    dom::text("code-label", move || {
        page.say(|texts| texts.filled("code-label", &texts.number(length().into(), 1)))
    });
    dom::attribute("boxes", "data-digits", move || Some(length().to_string()));
    // Boxes are for digits that fit; anything else is shown as it was typed.
    dom::attribute("boxes", "data-typed", move || {
        let count = page.code.with(|code| {
            let fits = code.len() <= usize::from(length());
            let is_digits = code.bytes().all(|byte| byte.is_ascii_digit());
            (fits && is_digits).then_some(code.len())
        });
        count.map(|count| count.to_string())
    });
    dom::follow(move || browser::set_value("code", &page.code.get()));
    dom::text("code-failure", move || page.failure_text("enter-code"));
    dom::flag("code", "aria-invalid", move || {
        page.flow.with(|flow| flow.failure.is_some())
    });
    // Also while the page asks once more by itself, unless it has told of that.
    let is_checking = move || {
        let is_repeating = |flow: &Flow| flow.check().is_some() && flow.failure.is_none();
        page.is_doing(Task::Verify) || page.flow.with(is_repeating)
    };
    dom::flag("verify", "aria-disabled", move || {
        is_checking() || page.session(|session| session.ending).is_some()
    });
    dom::text("verify", move || {
        page.text(if is_checking() { "checking" } else { "verify" })
    });
    dom::on("code", "input", move || {
        page.type_code(&browser::value("code"));
    });
    dom::on("code-form", "submit", move || page.verify());
}

impl Page {
    /// Takes a code. A whole one that comes by typing, paste or autofill is sent
    /// at once; after that only the button sends it again.
    fn type_code(self, typed: &str) {
        let (length, has_ended) = untrack(|| {
            self.session(|session| Some((session.otp_length, session.ending.is_some())))
        })
        .unwrap_or_default();
        let length = length.unwrap_or(flow::USUAL_LENGTH);
        let tidy = flow::tidy_code(typed, length);
        browser::set_value("code", &tidy);
        let is_new = self.code.with_untracked(|before| *before != tidy);
        let is_whole = flow::read_code(&tidy, length).is_ok();
        self.code.set(tidy);
        if is_whole && is_new && !has_ended {
            self.verify();
        }
    }
}

/// Lets the browser read the code out of a text message, while one is awaited.
fn watch_messages(page: Page) {
    let watch = StoredValue::new_local(None::<Watch>);
    let is_awaited = Memo::new(move |_| {
        page.flow.with(|flow| match &flow.step {
            Step::EnterCode(session) => {
                session.ending.is_none()
                    && session.channel == Some(Channel::Sms)
                    && flow
                        .pending
                        .is_none_or(|ticket| ticket.task != Task::Verify)
            }
            Step::EnterPhone | Step::Verified(_) => false,
        })
    });
    dom::follow(move || {
        // What went before is aborted here, whatever comes now.
        watch.set_value(None);
        if !is_awaited.get() {
            return;
        }
        if let Some((begun, code)) = Watch::begin() {
            watch.set_value(Some(begun));
            spawn(async move {
                if let Some(code) = code.await {
                    page.type_code(&code);
                }
            });
        }
    });
}

/// Asks now and then whether the code was delivered, until it was.
fn follow_delivery(page: Page) {
    let follows = StoredValue::new((None, 0_u32));
    let ask = move || {
        let awaited = page.flow.with_untracked(|flow| {
            let session = flow.session()?;
            let is_known = matches!(
                session.delivery(),
                Some(AttemptStatus::Delivered | AttemptStatus::Undelivered)
            );
            (!is_known).then_some((session.id, session.attempts.len()))
        });
        if awaited.is_none() || !browser::is_visible() {
            return;
        }
        let (last, count) = follows.get_value();
        let count = if last == awaited { count + 1 } else { 1 };
        follows.set_value((awaited, count));
        if count <= FOLLOWS {
            spawn(page.follow());
        }
    };
    browser::every(FOLLOW, ask);
}
