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

/// The text of one delivery.
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
        let text = match (status, channel) {
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
            status: language.get(text),
            advice: (is_last && is_failed).then(|| language.get(advice)),
        }
    }

    /// What screen readers announce: delivered or undelivered, nothing in between.
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

/// Delivery status: one line per delivery, oldest first, with advice if the last one
/// failed.
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
    // Announced here and not by a live region, which would read the whole list at each
    // change.
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
