//! How the code travels: a line for each time it was sent.

use countersign_shared::{
    Channel,
    session::{AttemptReason, AttemptStatus},
};
use leptos::{mount::mount_to, prelude::*};

use crate::{browser, dom, flow::Delivery, page::Page};

/// What a line says.
#[derive(Clone, PartialEq)]
struct Line {
    mark: &'static str,
    channel: String,
    status: String,
    advice: Option<String>,
}

impl Line {
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

/// The deliveries, oldest first, with what helps where the last one failed.
pub(crate) fn deliveries(page: Page) {
    dom::hidden("deliveries", move || {
        page.session(|session| session.ending).is_some()
    });
    let lines = Memo::new(move |_| {
        let attempts = page.session(|session| Some(session.attempts.clone()));
        let attempts = attempts.unwrap_or_default();
        let last = attempts.len().saturating_sub(1);
        (0..)
            .zip(attempts)
            .map(|(index, attempt)| line(page, attempt, index == last))
            .collect::<Vec<_>>()
    });
    // Heard once: not the whole list, each time a line of it changes.
    dom::follow(move || {
        let news = lines.with(|lines| lines.last().and_then(Line::news));
        if let Some(news) = news {
            page.announcement.set(news);
        }
    });
    let Some(list) = browser::element("deliveries") else {
        return;
    };
    let mounted = StoredValue::new_local(None);
    dom::follow(move || {
        let lines = lines.get();
        mounted.set_value(Some(mount_to(list.clone(), move || {
            lines
                .into_iter()
                .map(|line| view! { <DeliveryLine line /> })
                .collect_view()
        })));
    });
}

fn line(page: Page, attempt: Delivery, is_last: bool) -> Line {
    let Delivery {
        channel,
        status,
        reason,
    } = attempt;
    let key = match (status, channel) {
        (AttemptStatus::Delivered, Channel::Voice) => "delivery-call-delivered",
        (AttemptStatus::Delivered, _) => "delivery-delivered",
        (AttemptStatus::Undelivered, _) => "delivery-undelivered",
        (AttemptStatus::Sent, Channel::Voice) => "delivery-call-sent",
        (AttemptStatus::Sent, _) => "delivery-sent",
        (AttemptStatus::Queued | AttemptStatus::Unknown, _) => "delivery-queued",
    };
    let advice = match (reason, channel) {
        (Some(AttemptReason::CountryBarred), _) => "delivery-barred",
        (_, Channel::Voice) => "delivery-call-failed",
        (Some(AttemptReason::Unreachable), _) => "delivery-unreachable",
        _ => "delivery-failed",
    };
    let is_failed = status == AttemptStatus::Undelivered;
    Line {
        mark: match status {
            AttemptStatus::Delivered => "delivered",
            AttemptStatus::Undelivered => "undelivered",
            _ => "under-way",
        },
        channel: page.text(match channel {
            Channel::Sms => "channel-sms",
            Channel::Voice => "channel-voice",
            Channel::Whatsapp => "channel-whatsapp",
        }),
        status: page.text(key),
        advice: (is_last && is_failed).then(|| page.text(advice)),
    }
}

#[component]
fn DeliveryLine(line: Line) -> impl IntoView {
    let Line {
        mark,
        channel,
        status,
        advice,
    } = line;
    view! {
        <li class=mark>
            <span class="channel">{channel}</span>
            " "
            <span class="status">{status}</span>
            <p class="advice">{advice}</p>
        </li>
    }
}
