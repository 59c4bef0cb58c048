use countersign_shared::{
    Channel,
    session::{AttemptReason, AttemptStatus},
};
use leptos::prelude::*;

use crate::{
    context::Page,
    i18n::{Language, key, t},
    reactive::effect,
    state::Delivery,
};

/// What a line says.
#[derive(Clone, PartialEq)]
struct Line {
    mark: &'static str,
    channel: String,
    status: String,
    advice: Option<String>,
}

impl Line {
    fn new(language: &Language, delivery: Delivery, is_last: bool) -> Self {
        let Delivery {
            channel,
            status,
            reason,
        } = delivery;
        let said = match (status, channel) {
            (AttemptStatus::Delivered, Channel::Voice) => key!("delivery-call-delivered"),
            (AttemptStatus::Delivered, _) => key!("delivery-delivered"),
            (AttemptStatus::Undelivered, _) => key!("delivery-undelivered"),
            (AttemptStatus::Sent, Channel::Voice) => key!("delivery-call-sent"),
            (AttemptStatus::Sent, _) => key!("delivery-sent"),
            (AttemptStatus::Queued | AttemptStatus::Unknown, _) => key!("delivery-queued"),
        };
        let advice = match (reason, channel) {
            (Some(AttemptReason::CountryBarred), _) => key!("delivery-barred"),
            (_, Channel::Voice) => key!("delivery-call-failed"),
            (Some(AttemptReason::Unreachable), _) => key!("delivery-unreachable"),
            _ => key!("delivery-failed"),
        };
        let is_failed = status == AttemptStatus::Undelivered;
        Self {
            mark: match status {
                AttemptStatus::Delivered => "delivered",
                AttemptStatus::Undelivered => "undelivered",
                _ => "under-way",
            },
            channel: language.get(match channel {
                Channel::Sms => key!("channel-sms"),
                Channel::Voice => key!("channel-voice"),
                Channel::Whatsapp => key!("channel-whatsapp"),
            }),
            status: language.get(said),
            advice: (is_last && is_failed).then(|| language.get(advice)),
        }
    }

    /// What is worth being told when it happens: that it came, or that it did not.
    fn news(&self) -> Option<String> {
        let Self {
            mark,
            channel,
            status,
            advice,
        } = self;
        let advice = advice.as_deref().unwrap_or_default();
        (*mark != "under-way").then(|| format!("{channel}: {status}. {advice}"))
    }
}

/// How the code travels: a line for each time it was sent, oldest first, with what
/// helps where the last one failed.
#[component]
pub fn Deliveries() -> impl IntoView {
    let page = Page::expect();
    let lines = Memo::new(move |_| {
        let attempts = page.session(|session| Some(session.attempts.clone()));
        let attempts = attempts.unwrap_or_default();
        let last = attempts.len().saturating_sub(1);
        page.i18n.with(|language| {
            let line = |(index, attempt)| Line::new(language, attempt, index == last);
            (0..).zip(attempts).map(line).collect::<Vec<_>>()
        })
    });
    // Heard once: not the whole list, each time a line of it changes.
    effect(move || {
        if let Some(news) = lines.with(|lines| lines.last().and_then(Line::news)) {
            page.announcement.set(news);
        }
    });
    let items = move || {
        let lines = lines.get().into_iter();
        lines
            .map(|line| {
                view! {
                    <li class=line.mark>
                        <span class="channel">{line.channel}</span>
                        " "
                        <span class="status">{line.status}</span>
                        {line.advice.map(|advice| view! { <p class="advice">{advice}</p> })}
                    </li>
                }
            })
            .collect_view()
    };
    view! {
        <ol class="deliveries" id="deliveries" aria-label=t!("deliveries")>
            {items}
        </ol>
    }
}
