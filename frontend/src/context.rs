//! The page's state: signals around the pure `state`, provided as context.

use std::time::Duration;

use countersign_shared::{
    Channel, ErrorCode, PhoneNumber,
    config::{ConfigResponse, Country},
};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, HtmlInputElement};

use crate::{
    i18n::{I18n, key},
    reactive::effect,
    state::{self, Clock, FailureKind, Flow, Recipient, Session, StepName, Task},
};

/// An element to focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The phone field.
    Phone,
    /// The code field, with its text selected: typing replaces it.
    Code,
    /// The button of an ended session.
    EndedAction,
    /// The last step's heading.
    Verified,
}

/// Focuses the element when it becomes the page's target: a directive.
pub(crate) fn focused(element: Element, target: Target) {
    let page = Page::expect();
    effect(move || {
        if page.focus.get() != Some(target) {
            return;
        }
        if let Some(element) = element.dyn_ref::<HtmlElement>() {
            let _ = element.focus();
        }
        if target == Target::Code
            && let Some(input) = element.dyn_ref::<HtmlInputElement>()
        {
            input.select();
        }
        page.focus.set(None);
    });
}

/// A request without a final response.
#[derive(Clone)]
pub(crate) struct Unanswered {
    /// The request.
    pub(crate) asked: String,
    /// Its idempotency key.
    pub(crate) key: String,
    /// True after a timeout upstream.
    pub(crate) has_timed_out: bool,
}

/// The page's state. `Copy`: it contains only signals.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    /// The state machine.
    pub(crate) flow: RwSignal<Flow>,
    /// The page's clock.
    pub(crate) now: RwSignal<Duration>,
    /// The configuration, once loaded.
    pub(crate) config: RwSignal<Option<ConfigResponse>>,
    /// Text of the phone field.
    pub(crate) phone: RwSignal<String>,
    /// The selected country's code.
    pub(crate) country: RwSignal<String>,
    /// Text of the code field.
    pub(crate) code: RwSignal<String>,
    /// Announcement for screen readers.
    pub(crate) announcement: RwSignal<String>,
    /// Element to focus next.
    pub(crate) focus: RwSignal<Option<Target>>,
    /// Notices that the computer slept: the browser's monotonic clock stood still.
    pub(crate) clock: StoredValue<Clock>,
    /// The latest request without a final response.
    pub(crate) unanswered: StoredValue<Option<Unanswered>>,
    /// The code last submitted automatically, which is not submitted automatically
    /// again.
    pub(crate) sent_by_itself: StoredValue<String>,
    /// The texts.
    pub(crate) i18n: I18n,
}

impl Page {
    pub(crate) fn new(i18n: I18n) -> Self {
        Self {
            flow: RwSignal::new(Flow::default()),
            now: RwSignal::new(Duration::ZERO),
            config: RwSignal::new(None),
            phone: RwSignal::new(String::new()),
            country: RwSignal::new(String::new()),
            code: RwSignal::new(String::new()),
            announcement: RwSignal::new(String::new()),
            focus: RwSignal::new(None),
            clock: StoredValue::new(Clock::default()),
            unanswered: StoredValue::new(None),
            sent_by_itself: StoredValue::new(String::new()),
            i18n,
        }
    }

    /// The one in the context.
    pub(crate) fn expect() -> Self {
        expect_context()
    }

    /// The selected country.
    pub(crate) fn selected_country(self) -> Option<Country> {
        let selected = self.country.get();
        self.config.with(|config| {
            let mut countries = config.iter().flat_map(|config| &config.countries);
            countries.find(|country| country.code == selected).cloned()
        })
    }

    /// The served countries; none until they are known.
    pub(crate) fn with_countries<T>(self, read: impl FnOnce(&[Country]) -> T) -> T {
        self.config.with(|config| {
            let countries = config.as_ref().map(|config| config.countries.as_slice());
            read(countries.unwrap_or_default())
        })
    }

    /// The channel of the first code.
    pub(crate) fn first_channel(self) -> Channel {
        self.config.with(|config| {
            let channels = config.as_ref().map(|config| &config.channels);
            channels
                .and_then(|channels| channels.first().copied())
                .unwrap_or_default()
        })
    }

    /// The channel of the last code.
    pub(crate) fn last_channel(self) -> Channel {
        self.session(|session| session.channel)
            .unwrap_or_else(|| self.first_channel())
    }

    /// True if the channel is offered.
    pub(crate) fn offers(self, channel: Channel) -> bool {
        self.config.with(|config| {
            let channels = config.as_ref().map(|config| &config.channels);
            channels.is_some_and(|channels| channels.contains(&channel))
        })
    }

    /// The recipient, formatted for display.
    pub(crate) fn shown(self, recipient: &Recipient) -> String {
        match recipient {
            Recipient::Masked(masked) => masked.clone(),
            Recipient::Known(number) => self.spaced(number),
        }
    }

    /// A number in E.164, formatted for display.
    pub(crate) fn spaced(self, number: &PhoneNumber) -> String {
        self.with_countries(|countries| state::preview(number, countries))
    }

    /// The typed number, parsed.
    pub(crate) fn typed_number(self) -> Result<PhoneNumber, FailureKind> {
        let country = self.selected_country();
        self.with_countries(|countries| {
            self.phone
                .with(|phone| state::read_phone(phone, country.as_ref(), countries))
        })
    }

    /// Reads a property of the session, if there is one.
    pub(crate) fn session<T>(self, pick: impl FnOnce(&Session) -> Option<T>) -> Option<T> {
        self.flow.with(|flow| flow.session().and_then(pick))
    }

    /// True while this task is pending.
    pub(crate) fn is_doing(self, task: Task) -> bool {
        self.flow
            .with(|flow| flow.pending.is_some_and(|ticket| ticket.task == task))
    }

    /// The label of the button that sends a code by this channel.
    pub(crate) fn send_text(self, is_sending: bool, channel: Channel) -> String {
        self.i18n.get(match (is_sending, channel) {
            (true, _) => key!("sending"),
            (false, Channel::Sms) => key!("send-sms"),
            (false, Channel::Voice) => key!("send-voice"),
            (false, Channel::Whatsapp) => key!("send-whatsapp"),
        })
    }

    /// The text with the failed request's id, for support.
    pub(crate) fn failure_reference(self, step: StepName) -> Option<String> {
        let failure = self
            .flow
            .with(|flow| flow.failure.filter(|_| flow.step.name() == step));
        let id = failure?.request_id?.to_string();
        Some(
            self.i18n
                .with(|language| language.filled(key!("failure-reference"), &id)),
        )
    }

    /// The text of the failure in that step.
    pub(crate) fn failure_text(self, step: StepName) -> Option<String> {
        let (failure, repeats) = self.flow.with(|flow| {
            let failure = flow.failure.filter(|_| flow.step.name() == step);
            (failure, flow.check().is_some())
        });
        let failure = failure?;
        if repeats {
            return Some(self.i18n.get(key!("check-unanswered")));
        }
        Some(self.i18n.with(|language| {
            let wait = |key, seconds: u64| language.filled(key, &language.when(seconds));
            match (failure.kind, failure.retry_after, failure.checks_left) {
                (FailureKind::Refused(ErrorCode::RateLimited), Some(seconds), _) => {
                    wait(key!("retry-limited"), seconds)
                }
                (FailureKind::Refused(ErrorCode::TemporarilyUnavailable), Some(seconds), _) => {
                    wait(key!("retry-busy"), seconds)
                }
                (FailureKind::Refused(ErrorCode::OtpIncorrect), _, Some(left)) => {
                    language.counted(key!("tries-left"), left.into())
                }
                (FailureKind::Refused(ErrorCode::NumberTypeNotAllowed), ..)
                    if failure.other_channel =>
                {
                    language.get(key!("number-cannot-text"))
                }
                (kind, ..) => language.named(&kind.key()),
            }
        }))
    }
}
