//! What a person can do. What asks the service is an action; `answers` takes over what
//! the service says.

mod ask;

use countersign_shared::{
    Channel, PhoneNumber, page::PageRequest, resend::ResendRequest, send::SendRequest,
};
use leptos::prelude::*;

use self::ask::Ask;
use crate::{
    context::{Page, Target},
    i18n::key,
    platform::{
        self,
        host::{Host, Outcome},
        storage,
    },
    state::{self, Background, Ending, Flow, Recipient, Step, Task},
};

/// What a person can do. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Actions {
    page: Page,
    service: Action<Ask, ()>,
}

impl Actions {
    pub(crate) fn new(page: Page) -> Self {
        Self {
            page,
            service: Action::new_local(move |ask: &Ask| ask.clone().ask(page)),
        }
    }

    fn ask(self, ask: Ask) {
        self.service.dispatch_local(ask);
    }

    /// The ones in the context.
    pub(crate) fn expect() -> Self {
        expect_context()
    }

    /// Loads the set-up, and resumes the session from before a reload.
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
                    self.ask(Ask::Session(Some(ticket)));
                }
            }
            // A session for another link's proof is of no use to this one.
            Some(kept) => storage::forget_check(kept),
            None => {}
        }
        self.ask(Ask::Config(None));
    }

    /// The button was pressed before this program was there: it has been pressed,
    /// where the number says its country itself. A guessed one is seen before it
    /// is used.
    pub(crate) fn press_again(self) {
        if self
            .page
            .phone
            .with_untracked(|it| state::names_country(it))
        {
            self.send_typed();
        }
    }

    /// Asks for a code for the number that was typed.
    pub(crate) fn send_typed(self) {
        self.send_typed_by(untrack(|| self.page.first_channel()));
    }

    /// The same, by this channel.
    pub(crate) fn send_typed_by(self, channel: Channel) {
        let page = self.page;
        if page.flow.with_untracked(Flow::is_busy) {
            return;
        }
        if page.config.with_untracked(Option::is_none) {
            // The set-up is missing: the button fetches it, and the number to be
            // texted is shown before anything is sent.
            if let Some(ticket) = page.begin(Task::Configure) {
                self.ask(Ask::Config(Some(ticket)));
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

    /// Asks for a new code for the number of the session that ended; without the
    /// number, for the number.
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
            self.ask(Ask::Send(ticket, request));
        }
    }

    /// Asks for a code for the number that the application knows.
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
            self.ask(Ask::Page(ticket, request));
        }
    }

    /// Asks for the code once more, by this channel.
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
            self.ask(Ask::Resend(ticket, request));
        }
    }

    /// Takes what the code field holds, and answers what it should hold. A whole
    /// code that comes by typing, paste or autofill is sent at once; after that only
    /// the button sends it again.
    pub(crate) fn type_code(self, typed: &str) -> String {
        let page = self.page;
        let (length, has_ended) = untrack(|| {
            page.session(|session| Some((session.otp_length, session.ending.is_some())))
        })
        .unwrap_or_default();
        let length = length.unwrap_or(state::USUAL_LENGTH);
        let tidy = state::tidy_code(typed, length);
        page.code.set(tidy.clone());
        let is_whole = state::read_code(&tidy, length).is_ok();
        if is_whole && !has_ended && page.sent_by_itself.with_value(|sent| *sent != tidy) {
            page.sent_by_itself.set_value(tidy.clone());
            self.verify();
        }
        tidy
    }

    /// Checks the code that was typed.
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
            // Before it leaves: a reload may come between.
            page.keep();
            self.ask(Ask::Verify(request, Some(otp)));
        }
    }

    /// The page can be seen again, or the network is back: the phone may have slept,
    /// an answer may have been lost, or another tab may have finished.
    pub(crate) fn look_again(self) {
        let now = self.page.clock();
        if self.page.flow.try_update(|flow| flow.hurry(now)) == Some(true) {
            self.tick();
        } else {
            self.follow();
        }
    }

    /// Asks in the background how the session stands.
    pub(crate) fn follow(self) {
        self.ask(Ask::Session(None));
    }

    /// Lets time pass.
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
            Some(Background::Repeat(request)) => self.ask(Ask::Verify(request, None)),
            Some(Background::Look) => {
                page.keep();
                self.follow();
            }
            None => {}
        }
    }

    /// What helps where a session has ended.
    pub(crate) fn begin_again(self) {
        match untrack(|| self.page.session(|session| session.ending)) {
            Some(Ending::Expired | Ending::AlreadyVerified) => self.send_new(),
            Some(Ending::ChecksExhausted) => self.change_number(),
            None => {}
        }
    }

    /// Back to the first step, with the number as it was typed.
    pub(crate) fn change_number(self) {
        let page = self.page;
        page.flow.update(Flow::start_over);
        page.code.set(String::new());
        page.sent_by_itself.set_value(String::new());
        page.announcement.set(String::new());
        page.focus.set(Some(Target::Phone));
        page.keep();
    }

    /// Back to the first step for another number.
    pub(crate) fn verify_another(self) {
        self.page.phone.set(String::new());
        self.change_number();
    }

    /// Gives the proof to the application that the person came from.
    pub(crate) fn hand_over(self) {
        let proof = self.page.flow.with_untracked(|flow| match &flow.step {
            Step::Verified(verified) => Some(verified.proof.clone()),
            Step::EnterPhone | Step::EnterCode(_) => None,
        });
        if let Some(proof) = proof {
            Host::read().tell(Outcome::Verified(&proof));
        }
    }
}
