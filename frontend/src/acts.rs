//! What the person can do: each act asks the service and hands the answer to the
//! flow.

use countersign_shared::{
    Channel, PhoneNumber,
    config::ConfigResponse,
    resend::ResendRequest,
    send::{SendRequest, SendResponse},
};
use leptos::prelude::*;

use crate::{
    api, browser,
    enter_code::sent_to,
    flow::{self, Failure, Flow, Recipient, Step, Task, Ticket},
    host::Outcome,
    page::Page,
    spawn::spawn,
    storage,
};

impl Page {
    /// Loads the set-up, and resumes the session from before a reload. A button
    /// that was pressed before this program was there has been pressed, where the
    /// number says its country itself: a guessed one is seen before it is used.
    pub(crate) fn open(self, pressed: bool) {
        spawn(async move {
            if self.flow.with_untracked(|flow| flow.session().is_some()) {
                self.resume().await;
            }
        });
        spawn(async move {
            // Silent when it fails: the first press of the button says so.
            if let Ok(config) = api::config().await {
                self.configure(config);
                if pressed
                    && self
                        .phone
                        .with_untracked(|phone| flow::names_country(phone))
                {
                    self.send_typed();
                }
            }
        });
    }

    fn configure(self, config: ConfigResponse) {
        if self.country.with_untracked(String::is_empty) {
            let typed = self.phone.get_untracked();
            let country = flow::country_of(&typed, &config.countries, "")
                .or_else(|| flow::guess_country(&browser::languages(), &config.countries));
            if let Some(country) = country {
                self.country.set(country.code.clone());
            }
        }
        self.config.set(Some(config));
    }

    /// Asks how the session stands.
    async fn resume(self) {
        let Some(id) = self
            .flow
            .with_untracked(|flow| flow.session().map(|session| session.id))
        else {
            return;
        };
        let Some(ticket) = self.begin(Task::Resume) else {
            return;
        };
        match api::session(id).await {
            Ok(answer) => self
                .flow
                .update(|flow| flow.resumed(ticket, &answer, browser::now())),
            Err(failure) => self.fail(ticket, failure),
        }
        self.keep();
    }

    /// Asks for a code for the number that was typed.
    pub(crate) fn send_typed(self) {
        if self.flow.with_untracked(Flow::is_busy) {
            return;
        }
        if self.config.with_untracked(Option::is_none) {
            self.load_config();
            return;
        }
        match untrack(|| self.typed_number()) {
            Ok(number) => self.send(&number, untrack(|| self.first_channel())),
            Err(kind) => {
                self.flow.update(|flow| flow.refuse(kind));
                browser::focus("phone");
            }
        }
    }

    /// The set-up is missing: the button fetches it, and the number to be texted
    /// is shown before anything is sent.
    fn load_config(self) {
        let Some(ticket) = self.begin(Task::Configure) else {
            return;
        };
        spawn(async move {
            match api::config().await {
                Ok(config) => {
                    self.configure(config);
                    self.flow.update(|flow| flow.configured(ticket));
                }
                Err(failure) => self.fail(ticket, failure),
            }
        });
    }

    /// Asks for a new code for the number of the session that ended; without the
    /// number, for the number.
    pub(crate) fn send_new(self) {
        let recipient = self
            .flow
            .with_untracked(|flow| flow.session().map(|session| session.recipient.clone()));
        match recipient {
            Some(Recipient::Known(number)) => {
                self.send(&number, untrack(|| self.first_channel()));
            }
            Some(Recipient::Masked(_)) | None => self.change_number(),
        }
    }

    fn send(self, number: &PhoneNumber, channel: Channel) {
        let request = SendRequest {
            recipient: number.as_str().to_owned(),
            channel: Some(channel),
            locale: browser::message_locale(
                &self.texts.with_untracked(|texts| texts.locale.clone()),
            ),
            nonce: self.host.with_value(|host| host.nonce.clone()),
        };
        let Some(ticket) = self.begin(Task::Send) else {
            return;
        };
        let asked = format!("send {} {channel}", request.recipient);
        spawn(async move {
            let answer = api::send(&request, &self.key(&asked)).await;
            self.settle_send(ticket, answer);
        });
    }

    /// Asks for the code once more, by this channel.
    pub(crate) fn resend(self, channel: Channel) {
        let now = browser::now();
        let Some((id, wait)) = self.flow.with_untracked(|flow| {
            flow.session()
                .map(|session| (session.id, session.resend_by_in(channel, now)))
        }) else {
            return;
        };
        if let Some(seconds @ 1..) = wait {
            self.announcement.set(untrack(|| {
                self.say(|texts| texts.filled("resend-later", &texts.when(seconds)))
            }));
            return;
        }
        let Some(ticket) = self.begin(Task::Resend) else {
            return;
        };
        let request = ResendRequest {
            session_uuid: id.to_string(),
            channel: Some(channel),
        };
        let asked = format!("resend {id} {channel}");
        spawn(async move {
            let answer = api::resend(&request, &self.key(&asked)).await;
            self.settle_send(ticket, answer);
        });
    }

    fn settle_send(self, ticket: Ticket, answer: Result<SendResponse, Failure>) {
        self.forget_key(answer.as_ref().err());
        let now = browser::now();
        match answer {
            Ok(answer) => {
                let counted = self.flow.try_update(|flow| flow.sent(ticket, &answer, now));
                if counted == Some(true) {
                    self.now.set(now);
                    self.keep();
                    self.announcement.set(untrack(|| {
                        self.sent_text(answer.channel, ticket.task == Task::Resend)
                    }));
                    focus_after_render("code");
                }
            }
            Err(failure) => self.fail(ticket, failure),
        }
    }

    /// What is said when a code is on its way.
    fn sent_text(self, channel: Channel, again: bool) -> String {
        let number = self.session(|session| Some(session.recipient.clone()));
        let number = number.map(|number| self.shown(&number)).unwrap_or_default();
        let sent = self.say(|texts| texts.filled(sent_to(Some(channel)), &number));
        if again {
            format!("{sent} {}", self.text("announce-same-code"))
        } else {
            sent
        }
    }

    /// Gives the proof to the application that the person came from.
    pub(crate) fn hand_over(self) {
        let proof = self.flow.with_untracked(|flow| match &flow.step {
            Step::Verified(verified) => Some(verified.proof.clone()),
            Step::EnterPhone | Step::EnterCode(_) => None,
        });
        if let Some(proof) = proof {
            self.host
                .with_value(|host| host.tell(Outcome::Verified(&proof)));
        }
    }

    /// Back to the first step, with the number as it was typed.
    pub(crate) fn change_number(self) {
        self.flow.update(Flow::start_over);
        self.code.set(String::new());
        self.announcement.set(String::new());
        self.keep();
    }

    /// Back to the first step for another number.
    pub(crate) fn verify_another(self) {
        self.phone.set(String::new());
        self.change_number();
    }

    fn begin(self, task: Task) -> Option<Ticket> {
        self.flow.try_update(|flow| flow.begin(task)).flatten()
    }

    fn fail(self, ticket: Ticket, failure: Failure) {
        let counted = self
            .flow
            .try_update(|flow| flow.failed(ticket, failure, browser::now()));
        if counted != Some(true) {
            return;
        }
        self.keep();
        let ended = self
            .flow
            .with_untracked(|flow| flow.session().map(|it| it.ending.is_some()));
        match (ticket.task, ended) {
            (_, Some(true)) => focus_after_render("ended-action"),
            (Task::Send | Task::Configure, None) => focus_after_render("phone"),
            _ => {}
        }
    }

    /// Keeps for a reload what is needed to go on, and nothing once it is over.
    pub(crate) fn keep(self) {
        self.flow.try_with_untracked(|flow| match flow.session() {
            Some(session) if session.ending.is_none() => {
                let nonce = self.host.with_value(|host| host.nonce.clone());
                storage::keep(session, nonce, browser::now());
            }
            _ => storage::clear(),
        });
    }
}

/// Moves the focus once the page shows what has changed. A field's text is
/// selected, so that typing replaces it.
pub(crate) fn focus_after_render(id: &'static str) {
    spawn(async move {
        leptos::task::tick().await;
        browser::focus(id);
    });
}
