//! The application component: the current step, announcements and the clock.

use std::time::Duration;

use countersign_shared::page_locale;
use leptos::{either::EitherOf5, prelude::*};

use crate::{
    actions::Actions,
    components::{
        Cancel, CodeStep, ConfirmStep, LanguageSelect, PhoneStep, PretendPhone, Refused, Verified,
    },
    context::Page,
    i18n::{I18n, Language, key, t},
    platform::{clock, document, host::Host},
    reactive::{effect, spawn},
    state::{Clock, StepName},
};

/// Interval between updates of countdowns: less than a second, so that none skips one.
const TICK_INTERVAL: Duration = Duration::from_millis(250);

/// The state that the server starts the page in. One document is prerendered for each,
/// in each language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The phone form.
    EnterPhone,
    /// The first step for a number that the application knows.
    ConfirmNumber,
    /// The page's parameters are not allowed.
    Refused,
}

impl Start {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::EnterPhone, Self::ConfirmNumber, Self::Refused];

    /// Name in the `data-start` attribute of the document's root.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EnterPhone => "enter-phone",
            Self::ConfirmNumber => "confirm-number",
            Self::Refused => "refused",
        }
    }

    /// The start with that name, or the phone form.
    pub fn named(name: &str) -> Self {
        let named = Self::ALL.into_iter().find(|start| start.as_str() == name);
        named.unwrap_or(Self::EnterPhone)
    }
}

/// The whole page.
///
/// The first render depends on the properties alone, because it hydrates a prerendered
/// document; everything that only the browser knows is applied in effects.
#[component]
pub fn App(
    /// The state to start in.
    start: Start,
    /// The document's language.
    language: Language,
) -> impl IntoView {
    let i18n = I18n::new(language);
    let page = Page::new(i18n);
    let actions = Actions::new(page);
    provide_context(i18n);
    provide_context(page);
    provide_context(actions);

    follow_language(page);
    if start != Start::Refused {
        name_tab(page);
        keep_time(page, actions);
        effect(move || actions.open());
    }
    effect(move || Host::read().report_height());

    let step = Memo::new(move |_| page.flow.with(|flow| flow.step.name()));
    effect(move || name_step(start, step.get()));
    let steps = move || match (start, step.get()) {
        (Start::Refused, _) => EitherOf5::A(view! { <Refused /> }),
        (Start::ConfirmNumber, StepName::EnterPhone) => EitherOf5::E(view! { <ConfirmStep /> }),
        (_, StepName::EnterPhone) => EitherOf5::B(view! { <PhoneStep /> }),
        (_, StepName::EnterCode) => EitherOf5::C(view! { <CodeStep /> }),
        (_, StepName::Verified) => EitherOf5::D(view! { <Verified /> }),
    };
    let has_phone = Memo::new(move |_| {
        let is_sandbox = page
            .config
            .with(|config| config.as_ref().is_some_and(|config| config.sandbox));
        is_sandbox && step.get() == StepName::EnterCode
    });
    let pretend_phone = move || has_phone.get().then(|| view! { <PretendPhone /> });
    let announcement =
        Signal::derive(move || Some(page.announcement.get()).filter(|text| !text.is_empty()));
    view! {
        <main>
            // Shown by the style, by an attribute of the document's root, from the
            // first paint on.
            <p class="banner" id="sandbox" data-testid="sandbox-banner">
                {t!("sandbox")}
            </p>
            <div class="stage">
                <div class="card">
                    {steps} <Cancel />
                </div>
                {pretend_phone}
            </div>
        </main>
        <footer>
            <LanguageSelect />
        </footer>
        <p class="visually-hidden" id="announcement" role="status">
            {announcement}
        </p>
    }
}

/// Sets the step's name on the mount point, for the style and for tests.
fn name_step(start: Start, step: StepName) {
    if let Some(mount_point) = document::mount_point() {
        let name = match start {
            Start::Refused => start.as_str(),
            Start::ConfirmNumber if step == StepName::EnterPhone => start.as_str(),
            Start::EnterPhone | Start::ConfirmNumber => step.as_str(),
        };
        // Only an invalid name could fail.
        let _ = mount_point.set_attribute("data-step", name);
    }
}

/// Sets the document's language and direction when another language is chosen.
fn follow_language(page: Page) {
    effect(move || {
        let locale = page.i18n.locale();
        document::set_attribute("lang", &locale);
        document::set_attribute("dir", page_locale::direction(&locale));
    });
}

/// Sets the document's title by step.
fn name_tab(page: Page) {
    effect(move || {
        let heading = page
            .i18n
            .get(match page.flow.with(|flow| flow.step.name()) {
                StepName::EnterPhone => key!("phone-heading"),
                StepName::EnterCode => key!("code-heading"),
                StepName::Verified => key!("verified-heading"),
            });
        let brand = page
            .config
            .with(|config| config.as_ref().map(|config| config.brand_name.clone()));
        let title = match brand.or_else(|| document::attribute("data-brand")) {
            Some(brand) => format!("{heading} · {brand}"),
            None => heading,
        };
        let has_failed = page.flow.with(|flow| flow.failure.is_some());
        document::set_title(&if has_failed {
            page.i18n
                .with(|language| language.filled(key!("title-error"), &title))
        } else {
            title
        });
    });
}

/// Runs the page's clock, and fetches the session when the page is visible again, the
/// network is back, or the computer has slept.
fn keep_time(page: Page, actions: Actions) {
    effect(move || {
        clock::every(TICK_INTERVAL, move || {
            let wake = page
                .clock
                .try_update_value(|it| it.tick(clock::since_open(), clock::wall()))
                .flatten();
            if let Some(wake) = wake {
                spawn(async move {
                    page.fetch_session(None).await;
                    page.clock.try_update_value(|it| it.woken(wake));
                });
            }
            // After a sleep the service is asked before a session is shown as expired.
            if !page.clock.with_value(Clock::is_waking) {
                actions.tick();
            }
        });
        for event in ["visibilitychange", "online"] {
            document::on_window(event, move || {
                if document::is_visible() {
                    actions.refresh();
                }
            });
        }
    });
}
