//! The page's state as signals, and what follows from it.

use std::time::Duration;

use countersign_shared::{
    Channel, ErrorCode, PhoneNumber,
    config::{ConfigResponse, Country},
};
use leptos::prelude::*;

use crate::{
    browser,
    flow::{self, FailureKind, Flow, Recipient, Session, Task},
    host::Host,
    storage,
    texts::Texts,
};

/// The page's state. Copied freely: it holds signals only.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    /// Where the person stands.
    pub(crate) flow: RwSignal<Flow>,
    /// The page's clock, while something counts down.
    pub(crate) now: RwSignal<Duration>,
    /// How the service is set up, once known.
    pub(crate) config: RwSignal<Option<ConfigResponse>>,
    /// What the phone field holds.
    pub(crate) phone: RwSignal<String>,
    /// The selected country's code.
    pub(crate) country: RwSignal<String>,
    /// What the code field holds.
    pub(crate) code: RwSignal<String>,
    /// What screen readers are told in passing.
    pub(crate) announcement: RwSignal<String>,
    /// The words, in the reader's language.
    pub(crate) texts: RwSignal<Texts, LocalStorage>,
    /// The application that the person came from.
    pub(crate) host: StoredValue<Host>,
    /// The newest request that no answer came to: what it asked, and its key.
    pub(crate) unanswered: StoredValue<Option<(String, String)>>,
}

impl Page {
    /// The state to begin with: a session from before a reload, or the first
    /// step.
    pub(crate) fn new(phone: String, host: Host, texts: Texts) -> Self {
        let now = browser::now();
        let flow = match storage::kept() {
            Some(kept) if kept.nonce == host.nonce => {
                let check = kept.check(now);
                Flow::resuming(kept.session_uuid, kept.recipient, check)
            }
            // A session for another link's proof is of no use to this one.
            Some(kept) => {
                storage::forget_check(kept);
                Flow::default()
            }
            None => Flow::default(),
        };
        let code = flow.check().map(|check| check.otp.clone());
        Self {
            flow: RwSignal::new(flow),
            now: RwSignal::new(now),
            config: RwSignal::new(None),
            phone: RwSignal::new(phone),
            country: RwSignal::new(String::new()),
            code: RwSignal::new(code.unwrap_or_default()),
            announcement: RwSignal::new(String::new()),
            texts: RwSignal::new_local(texts),
            host: StoredValue::new(host),
            unanswered: StoredValue::new(None),
        }
    }

    /// Words.
    pub(crate) fn say(&self, words: impl FnOnce(&Texts) -> String) -> String {
        self.texts.with(words)
    }

    /// The text of that key.
    pub(crate) fn text(&self, key: &str) -> String {
        self.say(|texts| texts.get(key))
    }

    /// The selected country.
    pub(crate) fn selected_country(&self) -> Option<Country> {
        let selected = self.country.get();
        self.config.with(|config| {
            let mut countries = config.iter().flat_map(|config| &config.countries);
            countries.find(|country| country.code == selected).cloned()
        })
    }

    /// The channel of the first code.
    pub(crate) fn first_channel(&self) -> Channel {
        self.config.with(|config| {
            let channels = config.as_ref().map(|config| &config.channels);
            channels
                .and_then(|channels| channels.first().copied())
                .unwrap_or_default()
        })
    }

    /// The channel of the last code.
    pub(crate) fn last_channel(&self) -> Channel {
        self.session(|session| session.channel)
            .unwrap_or_else(|| self.first_channel())
    }

    /// The served countries; none until they are known.
    pub(crate) fn with_countries<T>(&self, read: impl FnOnce(&[Country]) -> T) -> T {
        self.config.with_untracked(|config| {
            let countries = config.as_ref().map(|config| config.countries.as_slice());
            read(countries.unwrap_or_default())
        })
    }

    /// What went wrong in that step, and what to do about it.
    pub(crate) fn failure_text(&self, step: &str) -> String {
        let (failure, repeats) = self.flow.with(|flow| {
            let failure = flow.failure.filter(|_| flow.step.name() == step);
            (failure, flow.check().is_some())
        });
        let Some(failure) = failure else {
            return String::new();
        };
        if repeats {
            return self.text("check-unanswered");
        }
        self.say(|texts| {
            let wait = |key: &str, seconds: u64| texts.filled(key, &texts.when(seconds));
            match (failure.kind, failure.retry_after, failure.checks_left) {
                (FailureKind::Refused(ErrorCode::RateLimited), Some(seconds), _) => {
                    wait("retry-limited", seconds)
                }
                (FailureKind::Refused(ErrorCode::TemporarilyUnavailable), Some(seconds), _) => {
                    wait("retry-busy", seconds)
                }
                (FailureKind::Refused(ErrorCode::OtpIncorrect), _, Some(left)) => {
                    texts.counted("tries-left", left.into())
                }
                (kind, ..) => texts.get(&kind.key()),
            }
        })
    }

    /// A number, spaced for reading.
    pub(crate) fn shown(&self, recipient: &Recipient) -> String {
        match recipient {
            Recipient::Masked(masked) => masked.clone(),
            Recipient::Known(number) => self.spaced(number),
        }
    }

    /// A number in E.164, spaced for reading.
    pub(crate) fn spaced(&self, number: &PhoneNumber) -> String {
        self.config.with(|config| {
            let countries = config.as_ref().map(|config| config.countries.as_slice());
            flow::preview(number, countries.unwrap_or_default())
        })
    }

    /// What was typed, as a number.
    pub(crate) fn typed_number(&self) -> Result<PhoneNumber, FailureKind> {
        let country = self.selected_country();
        self.phone
            .with(|phone| flow::read_phone(phone, country.as_ref()))
    }

    /// The name to show, once it is known.
    pub(crate) fn brand(&self) -> Option<String> {
        self.config
            .with(|config| config.as_ref().map(|config| config.brand_name.clone()))
    }

    /// True when nothing is really sent.
    pub(crate) fn is_sandbox(&self) -> bool {
        self.config
            .with(|config| config.as_ref().is_some_and(|config| config.sandbox))
    }

    /// True when a code may travel by this channel.
    pub(crate) fn offers(&self, channel: Channel) -> bool {
        self.config.with(|config| {
            let channels = config.as_ref().map(|config| &config.channels);
            channels.is_some_and(|channels| channels.contains(&channel))
        })
    }

    /// Something about the session, while there is one.
    pub(crate) fn session<T>(&self, pick: impl FnOnce(&Session) -> Option<T>) -> Option<T> {
        self.flow.with(|flow| flow.session().and_then(pick))
    }

    /// True while this task is under way.
    pub(crate) fn is_doing(&self, task: Task) -> bool {
        self.flow
            .with(|flow| flow.pending.is_some_and(|ticket| ticket.task == task))
    }
}
