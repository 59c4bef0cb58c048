//! The first step: a phone number.

use countersign_shared::{Channel, PhoneNumber};
use leptos::prelude::*;

use crate::{
    browser, countries, dom,
    flow::{self, Task},
    page::Page,
};

/// Asks for the phone number, and shows the number that will be texted.
pub(crate) fn enter_phone(page: Page) {
    countries::countries(page);
    dom::on("enter-phone", "submit", move || page.send_typed());
    dom::on("phone", "input", move || {
        page.type_phone(browser::value("phone"));
    });
    dom::on("phone", "blur", move || page.tidy_phone());
    dom::follow(move || browser::set_value("phone", &page.phone.get()));
    dom::text("phone-failure", move || page.failure_text("enter-phone"));
    dom::flag("phone", "aria-invalid", move || {
        page.flow.with(|flow| flow.failure.is_some())
    });
    dom::sentence("phone-hint", move || {
        let country = page.selected_country();
        let example = country.and_then(|country| PhoneNumber::parse(&country.example).ok());
        let example = example.map(|example| page.spaced(&example));
        (page.text("phone-hint"), example.unwrap_or_default())
    });
    dom::sentence("phone-preview", move || {
        let text = match page.first_channel() {
            Channel::Sms => "preview-sms",
            Channel::Voice => "preview-voice",
            Channel::Whatsapp => "preview-whatsapp",
        };
        let number = page.typed_number().map(|number| page.spaced(&number));
        (page.text(text), number.unwrap_or_default())
    });
    let is_busy = move || page.is_doing(Task::Send) || page.is_doing(Task::Configure);
    dom::flag("send", "aria-disabled", is_busy);
    dom::text("send", move || {
        page.text(match (is_busy(), page.first_channel()) {
            (true, _) => "sending",
            (false, Channel::Sms) => "send-sms",
            (false, Channel::Voice) => "send-voice",
            (false, Channel::Whatsapp) => "send-whatsapp",
        })
    });
}

impl Page {
    /// What was typed names its country, or leaves the chosen one.
    fn type_phone(self, typed: String) {
        self.with_countries(|countries| {
            let selected = self.country.get_untracked();
            if let Some(named) = flow::country_of(&typed, countries, &selected) {
                self.country.set(named.code.clone());
            }
        });
        self.phone.set(typed);
    }

    /// The field is left: what was typed is spaced for reading. Never while it
    /// is being typed.
    fn tidy_phone(self) {
        let country = untrack(|| self.selected_country());
        let typed = self.phone.get_untracked();
        let tidy = self
            .with_countries(|countries| flow::format_phone(&typed, country.as_ref(), countries));
        if let Some(tidy) = tidy.filter(|tidy| *tidy != typed) {
            self.phone.set(tidy);
        }
    }
}
