//! The user's actions. Requests are spawned, and `answers` applies their responses to
//! signals: whether one is pending is part of the state machine.

use countersign_shared::{
    Channel, PhoneNumber,
    page::PageRequest,
    resend::ResendRequest,
    send::{SendRequest, SendResponse},
};
use leptos::prelude::*;

use crate::{
    api,
    context::{Page, Target},
    i18n::key,
    platform::{
        self,
        host::{Host, Outcome},
        storage,
    },
    reactive::spawn,
    state::{self, Background, Ending, Failure, Flow, Recipient, Step, Task, Ticket},
};

/// The user's actions. `Copy`.
#[derive(Clone, Copy)]
pub(crate) struct Actions {
    page: Page,
}

impl Actions {
    pub(crate) fn new(page: Page) -> Self {
        Self { page }
    }

    /// The ones in the context.
    pub(crate) fn expect() -> Self {
        expect_context()
    }

    /// Fetches the configuration, and resumes the session stored before a reload.
    pub(crate) fn open(self) {
        let page = self.page;
        match storage::kept() {
            Some(kept) if Host::read().is_for(kept.nonce.as_ref(), kept.page.as_ref()) => {
                let check = kept.check(page.clock());
                if let Some(check) = &check {
                    page.code.set(check.otp.clone());
                    page.sent_by_itself.set_value(check.otp.clone());
                }
                let flow = Flow::resuming(kept.session_uuid, kept.recipient, check);
                page.flow.set(flow);
                page.focus.set(Some(Target::Code));
                if let Some(ticket) = page.begin(Task::Resume) {
                    spawn(page.fetch_session(Some(ticket)));
                }
            }
            // The stored session is for another nonce or page.
            Some(kept) => storage::forget_check(kept),
            None => {}
        }
        spawn(page.fetch_config(None));
    }

    /// Handles a press from before hydration, if the number names its country itself.
    /// With a guessed country, the user sees the number first.
    pub(crate) fn press_again(self) {
        if self
            .page
            .phone
            .with_untracked(|it| state::names_country(it))
        {
            self.send_typed();
        }
    }

    /// Sends a code to the typed number.
    pub(crate) fn send_typed(self) {
        self.send_typed_by(untrack(|| self.page.first_channel()));
    }

    /// Sends a code to the typed number by this channel.
    pub(crate) fn send_typed_by(self, channel: Channel) {
        let page = self.page;
        if page.flow.with_untracked(Flow::is_busy) {
            return;
        }
        if page.config.with_untracked(Option::is_none) {
            // Without the configuration, the button fetches it first, so that the user
            // sees the number before a code is sent.
            if let Some(ticket) = page.begin(Task::Configure) {
                spawn(page.fetch_config(Some(ticket)));
            }
            return;
        }
        match untrack(|| page.typed_number()) {
            Ok(number) => self.send_to(&number, channel),
            Err(kind) => {
                page.flow.update(|flow| flow.refuse(kind));
                page.focus.set(Some(Target::Phone));
            }
        }
    }

    /// Sends a new code to the ended session's number; if only its masked form is
    /// known, returns to the first step.
    pub(crate) fn send_new(self) {
        let recipient = self
            .page
            .flow
            .with_untracked(|flow| flow.session().map(|session| session.recipient.clone()));
        match recipient {
            Some(Recipient::Known(number)) => {
                self.send_to(&number, untrack(|| self.page.first_channel()));
            }
            Some(Recipient::Masked(_)) | None => self.change_number(),
        }
    }

    fn send_to(self, number: &PhoneNumber, channel: Channel) {
        let host = Host::read();
        let request = SendRequest {
            recipient: number.as_str().to_owned(),
            channel: Some(channel),
            locale: platform::message_locale(&untrack(|| self.page.i18n.locale())),
            nonce: host.nonce,
            purpose: None,
            application: host.application,
            page: false,
            return_to: None,
            embed: None,
            state: None,
            end_user: None,
        };
        if let Some(ticket) = self.page.begin(Task::Send) {
            let asked = format!("send {} {}", channel.as_str(), request.recipient);
            self.apply_sent(ticket, api::send(&request, &self.page.key(&asked)));
        }
    }

    /// Applies the response to a request that sends a code.
    fn apply_sent(
        self,
        ticket: Ticket,
        answer: impl Future<Output = Result<SendResponse, Failure>> + 'static,
    ) {
        let page = self.page;
        spawn(async move { page.sent(ticket, answer.await) });
    }

    /// Sends a code to the number that the application knows.
    pub(crate) fn send_to_known(self) {
        let host = Host::read();
        let Some(name) = host.page else {
            return;
        };
        let request = PageRequest {
            page: name,
            channel: host.channel,
            locale: platform::message_locale(&untrack(|| self.page.i18n.locale())),
        };
        if let Some(ticket) = self.page.begin(Task::Send) {
            let asked = format!("page {}", request.page);
            self.apply_sent(ticket, api::page(&request, &self.page.key(&asked)));
        }
    }

    /// Resends the code by this channel.
    pub(crate) fn resend(self, channel: Channel) {
        let page = self.page;
        let now = page.clock();
        let Some((id, wait)) = page.flow.with_untracked(|flow| {
            flow.session()
                .map(|session| (session.id, session.resend_by_in(channel, now)))
        }) else {
            return;
        };
        if let Some(seconds @ 1..) = wait {
            let later = untrack(|| {
                page.i18n
                    .with(|language| language.filled(key!("resend-later"), &language.when(seconds)))
            });
            page.announcement.set(later);
            return;
        }
        let request = ResendRequest {
            session_uuid: id.to_string(),
            channel: Some(channel),
            end_user: None,
        };
        if let Some(ticket) = page.begin(Task::Resend) {
            let asked = format!("resend {} {id}", channel.as_str());
            self.apply_sent(ticket, api::resend(&request, &page.key(&asked)));
        }
    }

    /// Handles input in the code field, and returns what the field should contain. A
    /// complete code from typing, paste or autofill is submitted once; after that only
    /// the button submits it.
    pub(crate) fn type_code(self, typed: &str) -> String {
        let page = self.page;
        let length = untrack(|| page.session(|session| session.otp_length));
        let length = length.unwrap_or(state::USUAL_LENGTH);
        let tidy = state::tidy_code(typed, length);
        page.code.set(tidy.clone());
        self.submit_complete();
        tidy
    }

    /// Submits the field's text if it is a complete code that was not submitted yet and
    /// no task is pending.
    pub(crate) fn submit_complete(self) {
        let page = self.page;
        let code = page.code.get_untracked();
        let is_submitted = page.sent_by_itself.with_value(|sent| *sent == code);
        let is_due = page.flow.with_untracked(|flow| {
            let session = flow.session().filter(|session| session.ending.is_none());
            let length = session.map(|it| it.otp_length.unwrap_or(state::USUAL_LENGTH));
            let is_complete = length.is_some_and(|it| state::read_code(&code, it).is_ok());
            is_complete && !flow.is_busy()
        });
        if is_due && !is_submitted {
            page.sent_by_itself.set_value(code);
            self.verify();
        }
    }

    /// Submits the typed code.
    pub(crate) fn verify(self) {
        let page = self.page;
        let Some((length, ending)) = page.flow.with_untracked(|flow| {
            let session = flow.session()?;
            let length = session.otp_length.unwrap_or(state::USUAL_LENGTH);
            Some((length, session.ending))
        }) else {
            return;
        };
        if ending.is_some() {
            page.focus.set(Some(Target::EndedAction));
            return;
        }
        if page.flow.with_untracked(Flow::is_busy) {
            return;
        }
        let otp = match page
            .code
            .with_untracked(|code| state::read_code(code, length))
        {
            Ok(otp) => otp,
            Err(kind) => {
                page.flow.update(|flow| flow.refuse(kind));
                page.focus.set(Some(Target::Code));
                return;
            }
        };
        let key = platform::random_key().unwrap_or_default();
        let now = page.clock();
        let begun = page
            .flow
            .try_update(|flow| flow.begin_check(&otp, key, now));
        if let Some(request) = begun.flatten() {
            // Stored before the request is sent, in case of a reload.
            page.keep();
            spawn(page.check(request, Some(otp)));
        }
    }

    /// The page is visible again, or the network is back: the device may have slept, a
    /// response may be lost, or another tab may have finished.
    pub(crate) fn refresh(self) {
        let now = self.page.clock();
        if self.page.flow.try_update(|flow| flow.hurry(now)) == Some(true) {
            self.tick();
        } else {
            self.follow();
        }
    }

    /// Fetches the session in the background.
    pub(crate) fn follow(self) {
        spawn(self.page.fetch_session(None));
    }

    /// Advances the clock.
    pub(crate) fn tick(self) {
        let page = self.page;
        let now = page.clock();
        if page.flow.with_untracked(|flow| flow.session().is_some()) {
            page.now.set(now);
        }
        if !page.flow.with_untracked(|flow| flow.is_due(now)) {
            return;
        }
        match page.flow.try_update(|flow| flow.tick(now)).flatten() {
            Some(Background::Repeat(request)) => spawn(page.check(request, None)),
            Some(Background::FetchSession) => {
                page.keep();
                self.follow();
            }
            None => {}
        }
    }

    /// The way out of an ended session.
    pub(crate) fn begin_again(self) {
        match untrack(|| self.page.session(|session| session.ending)) {
            Some(Ending::Expired | Ending::AlreadyVerified) => self.send_new(),
            Some(Ending::ChecksExhausted) => self.change_number(),
            None => {}
        }
    }

    /// Returns to the first step and keeps the typed number.
    pub(crate) fn change_number(self) {
        let page = self.page;
        page.flow.update(Flow::start_over);
        page.code.set(String::new());
        page.sent_by_itself.set_value(String::new());
        page.announcement.set(String::new());
        page.focus.set(Some(Target::Phone));
        page.keep();
    }

    /// Returns to the first step for another number.
    pub(crate) fn verify_another(self) {
        self.page.phone.set(String::new());
        self.change_number();
    }

    /// Hands the proof to the application.
    pub(crate) fn hand_over(self) {
        let proof = self.page.flow.with_untracked(|flow| match &flow.step {
            Step::Verified(verified) => Some(verified.proof.clone()),
            Step::EnterPhone | Step::EnterCode(_) => None,
        });
        if let Some(proof) = proof {
            Host::read().report(Outcome::Verified(&proof));
        }
    }
}
