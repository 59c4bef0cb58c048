use std::{cell::Cell, time::Duration};

use countersign_shared::{Channel, session::AttemptStatus};
use leptos::{either::Either, prelude::*};

use crate::{
    actions::Actions,
    answers::sent_to,
    api::SessionEvents,
    components::{Button, CodeForm, Deliveries, Ended, OtherWays, Sentence},
    context::Page,
    i18n::{key, t},
    platform::{clock, document, web_otp::Watch},
    reactive::{effect, spawn},
    state::{Flow, Step, Task},
};

/// Polling interval for the session while no event stream is connected.
const POLL_INTERVAL: Duration = Duration::from_secs(4);

/// Maximum number of polls per delivery.
const MAX_POLLS: u32 = 15;

/// The second step: the code form, or the way out of an ended session.
#[component]
pub fn CodeStep() -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    watch_session(page, actions);
    watch_messages(page, actions);
    // A code that was typed while a resend was pending.
    effect(move || {
        if !page.flow.with(Flow::is_busy) {
            actions.submit_complete();
        }
    });
    let has_ended = Memo::new(move |_| page.session(|session| session.ending).is_some());
    let sent = Signal::derive(move || {
        page.i18n
            .get(sent_to(page.session(|session| session.channel)))
    });
    let number = Signal::derive(move || {
        let recipient = page.session(|session| Some(session.recipient.clone()))?;
        Some(page.shown(&recipient))
    });
    let expires = Signal::derive(move || {
        let now = page.now.get();
        let left = page.session(|session| session.expires_in(now))?;
        Some(
            page.i18n
                .with(|language| language.filled(key!("expires"), &language.clock(left))),
        )
    });
    view! {
        <section id="enter-code" class="step" aria-labelledby="code-heading">
            <p class="progress">{t!("step-code")}</p>
            <h1 id="code-heading">{t!("code-heading")}</h1>
            <p class="lead">
                <span id="sent-to">
                    <Sentence text=sent number=number />
                </span>
                " "
                <Button
                    class="link"
                    id="change-number"
                    text=t!("change-number")
                    on_press=move |()| actions.change_number()
                />
            </p>
            <CodeForm />
            {move || {
                if has_ended.get() {
                    Either::Left(view! { <Ended /> })
                } else {
                    Either::Right(
                        view! {
                            <p class="hint number" id="expires">
                                {expires}
                            </p>
                            <Deliveries />
                            <OtherWays />
                        },
                    )
                }
            }}
        </section>
    }
}

/// Follows the session by server-sent events, and by polling while no stream is
/// connected.
fn watch_session(page: Page, actions: Actions) {
    let id =
        Memo::new(move |_| page.session(|session| session.ending.is_none().then_some(session.id)));
    let is_visible = RwSignal::new(document::is_visible());
    document::on_window("visibilitychange", move || {
        is_visible.set(document::is_visible());
    });
    let is_streaming = StoredValue::new(false);
    // An event arrived while a request was pending. Its answer may be newer, so the
    // event is dropped and the session fetched afterwards.
    let is_missed = StoredValue::new(false);
    let events = StoredValue::new_local(None);
    effect(move || {
        // Closes the previous stream.
        events.set_value(None);
        is_streaming.set_value(false);
        let Some(id) = id.get().filter(|_| is_visible.get()) else {
            return;
        };
        let seen = move |session| {
            is_streaming.try_set_value(true);
            if page.flow.with_untracked(|flow| flow.pending.is_none()) {
                page.apply_session(&session);
            } else {
                is_missed.try_set_value(true);
            }
        };
        let lost = move || {
            is_streaming.try_set_value(false);
        };
        events.set_value(SessionEvents::listen(id, seen, lost));
    });
    effect(move || {
        let is_free = page.flow.with(|flow| flow.pending.is_none());
        if is_free && is_missed.get_value() {
            is_missed.set_value(false);
            actions.follow();
        }
    });
    let polls = Cell::new((None, 0_u32));
    clock::every(POLL_INTERVAL, move || {
        if is_streaming.get_value() || !document::is_visible() {
            return;
        }
        let awaited = page.flow.with_untracked(|flow| {
            let session = flow.session()?;
            let is_known = matches!(
                session.delivery(),
                Some(AttemptStatus::Delivered | AttemptStatus::Undelivered)
            );
            (!is_known).then_some((session.id, session.attempts.len()))
        });
        if awaited.is_none() {
            return;
        }
        let (last, count) = polls.get();
        let count = if last == awaited { count + 1 } else { 1 };
        polls.set((awaited, count));
        if count <= MAX_POLLS {
            actions.follow();
        }
    });
}

/// Starts WebOTP anew for each text message that is expected.
fn watch_messages(page: Page, actions: Actions) {
    let watch = StoredValue::new_local(None::<Watch>);
    let awaited = Memo::new(move |_| page.flow.with(messages_awaited));
    effect(move || {
        // Aborts the previous WebOTP request.
        watch.set_value(None);
        if awaited.get().is_none() {
            return;
        }
        if let Some((begun, code)) = Watch::begin() {
            watch.set_value(Some(begun));
            spawn(async move {
                if let Some(code) = code.await {
                    actions.type_code(&code);
                }
            });
        }
    });
}

/// The number of text messages sent, while one is expected.
fn messages_awaited(flow: &Flow) -> Option<usize> {
    match &flow.step {
        Step::EnterCode(session) => {
            let is_checking = flow.pending.is_some_and(|it| it.task == Task::Verify);
            let is_text = session.channel == Some(Channel::Sms);
            (session.ending.is_none() && is_text && !is_checking).then_some(session.attempts.len())
        }
        Step::EnterPhone | Step::Verified(_) => None,
    }
}
