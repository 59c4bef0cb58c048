//! Applies the service's responses to the page's state.

use countersign_shared::{
    Channel, ErrorCode, send::SendResponse, session::SessionResponse, verify::VerifyRequest,
};
use leptos::prelude::*;

use crate::{
    api,
    context::{Page, Target, Unanswered},
    i18n::{Key, key},
    platform::{self, clock, document, host::Host, storage},
    state::{self, CheckRequest, Checked, Clock, Failure, FailureKind, Flow, Task, Ticket},
};

impl Page {
    /// Begins a task, unless one is pending.
    pub(crate) fn begin(self, task: Task) -> Option<Ticket> {
        self.flow.try_update(|flow| flow.begin(task)).flatten()
    }

    /// Fetches the configuration. The first request is made in the background and fails
    /// silently: pressing the button repeats it.
    pub(crate) async fn fetch_config(self, ticket: Option<Ticket>) {
        let application = Host::read().application;
        let answer = api::config(application.as_deref()).await;
        match (answer, ticket) {
            (Ok(config), ticket) => {
                if self.country.with_untracked(String::is_empty) {
                    let typed = self.phone.get_untracked();
                    let country = state::country_of(&typed, &config.countries, "").or_else(|| {
                        state::guess_country(&platform::languages(), &config.countries)
                    });
                    if let Some(country) = country {
                        self.country.set(country.code.clone());
                    }
                }
                if config.sandbox {
                    document::set_attribute("data-sandbox", "");
                } else {
                    document::remove_attribute("data-sandbox");
                }
                self.config.set(Some(config));
                if let Some(ticket) = ticket {
                    self.flow.update(|flow| flow.configured(ticket));
                }
            }
            (Err(failure), Some(ticket)) => self.fail(ticket, failure),
            (Err(_), None) => {}
        }
    }

    /// Handles the response to a send or a resend.
    pub(crate) fn sent(self, ticket: Ticket, answer: Result<SendResponse, Failure>) {
        self.forget_key(answer.as_ref().err());
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => return self.fail(ticket, failure),
        };
        let now = self.clock();
        let counted = self.flow.try_update(|flow| flow.sent(ticket, &answer, now));
        if counted == Some(true) {
            self.now.set(now);
            self.keep();
            let is_again = ticket.task == Task::Resend;
            self.announcement
                .set(untrack(|| self.sent_text(answer.channel, is_again)));
            self.focus.set(Some(Target::Code));
        }
    }

    /// The announcement of a sent code.
    fn sent_text(self, channel: Channel, is_again: bool) -> String {
        let recipient = self.session(|session| Some(session.recipient.clone()));
        let number = recipient.map(|recipient| self.shown(&recipient));
        let number = number.unwrap_or_default();
        self.i18n.with(|language| {
            let sent = language.filled(sent_to(Some(channel)), &number);
            if is_again {
                format!("{sent} {}", language.get(key!("announce-same-code")))
            } else {
                sent
            }
        })
    }

    /// Checks a code, at the user's request or as a repetition. A code typed meanwhile
    /// is checked once the earlier check is settled.
    pub(crate) async fn check(self, mut request: CheckRequest, typed: Option<String>) {
        loop {
            let checked = self.check_once(&request).await;
            let next = typed.as_ref().filter(|typed| **typed != request.otp);
            let Some(otp) = next.filter(|_| checked == Checked::Incorrect) else {
                return;
            };
            let key = platform::random_key().unwrap_or_default();
            let now = self.clock();
            let begun = self.flow.try_update(|flow| flow.begin_check(otp, key, now));
            let Some(begun) = begun.flatten() else {
                return;
            };
            self.keep();
            request = begun;
        }
    }

    async fn check_once(self, request: &CheckRequest) -> Checked {
        let body = VerifyRequest {
            session_uuid: request.session.to_string(),
            otp: request.otp.clone(),
            end_user: None,
        };
        let answer = api::verify(&body, &request.key).await;
        let now = self.clock();
        let checked = self
            .flow
            .try_update(|flow| flow.checked(request, &answer, now))
            .unwrap_or(Checked::Ignored);
        self.keep();
        match checked {
            Checked::Ignored => return checked,
            Checked::Verified => {
                self.focus.set(Some(Target::Verified));
                return checked;
            }
            Checked::Open | Checked::Incorrect | Checked::Refused => {}
        }
        let has_ended = self
            .flow
            .with_untracked(|flow| flow.session().is_some_and(|it| it.ending.is_some()));
        if has_ended {
            self.focus.set(Some(Target::EndedAction));
        } else if request.ticket.is_some() {
            self.focus.set(Some(Target::Code));
        }
        if checked == Checked::Refused {
            self.fetch_session(None).await;
        }
        checked
    }

    /// Fetches the session. With a ticket, a failure is shown; without one, it is
    /// ignored.
    pub(crate) async fn fetch_session(self, ticket: Option<Ticket>) {
        let Some(Some((id, tickets))) = self.flow.try_with_untracked(|flow| {
            let session = flow.session().filter(|session| session.ending.is_none())?;
            let is_free = flow.pending.is_none() || ticket.is_some();
            is_free.then_some((session.id, flow.tickets()))
        }) else {
            return;
        };
        let answer = api::session(id).await;
        match (answer, ticket) {
            (Ok(answer), Some(ticket)) => {
                let now = self.clock();
                self.flow.update(|flow| flow.resumed(ticket, &answer, now));
                self.keep();
            }
            (Err(failure), Some(ticket)) => self.fail(ticket, failure),
            // A later request's response is newer.
            (Ok(answer), None) if self.flow.try_with_untracked(Flow::tickets) == Some(tickets) => {
                self.apply_session(&answer);
            }
            (_, None) => {}
        }
    }

    /// Applies a session received by event or poll.
    pub(crate) fn apply_session(self, answer: &SessionResponse) {
        let now = self.clock();
        self.flow.try_update(|flow| flow.follow(answer, now));
        self.keep();
    }

    /// Applies a failure.
    fn fail(self, ticket: Ticket, failure: Failure) {
        let now = self.clock();
        let counted = self
            .flow
            .try_update(|flow| flow.failed(ticket, failure, now));
        if counted != Some(true) {
            return;
        }
        self.keep();
        let has_ended = self
            .flow
            .with_untracked(|flow| flow.session().map(|it| it.ending.is_some()));
        match (ticket.task, has_ended) {
            (_, Some(true)) => self.focus.set(Some(Target::EndedAction)),
            (Task::Send | Task::Configure, None) => self.focus.set(Some(Target::Phone)),
            _ => {}
        }
    }

    /// The page's clock: the browser's monotonic clock, plus the time slept.
    pub(crate) fn clock(self) -> std::time::Duration {
        clock::since_open() + self.clock.try_with_value(Clock::slept).unwrap_or_default()
    }

    /// Saves in session storage what a reload needs, and clears it once the session is
    /// over.
    pub(crate) fn keep(self) {
        let now = self.clock();
        self.flow.try_with_untracked(|flow| match flow.session() {
            Some(session) if session.ending.is_none() => {
                storage::keep(session, Host::read(), now);
            }
            _ => storage::clear(),
        });
    }

    /// The idempotency key of a request: reused until a response arrives, so that
    /// pressing again after a lost connection sends no second message.
    pub(crate) fn key(self, asked: &str) -> String {
        let known = self.unanswered.get_value().filter(|it| it.asked == asked);
        let unanswered = known.unwrap_or_else(|| Unanswered {
            asked: asked.to_owned(),
            key: platform::random_key().unwrap_or_default(),
            has_timed_out: false,
        });
        self.unanswered.set_value(Some(unanswered.clone()));
        unanswered.key
    }

    /// Forgets the idempotency key after a response. Only after a timeout upstream the
    /// same request is repeated once under its key: if the code arrives after all, that
    /// response becomes the code's session.
    fn forget_key(self, failure: Option<&Failure>) {
        if failure.is_some_and(Failure::is_unanswered) {
            return;
        }
        let timed_out = FailureKind::Refused(ErrorCode::UpstreamTimeout);
        let is_timeout = failure.is_some_and(|failure| failure.kind == timed_out);
        self.unanswered.update_value(|unanswered| {
            let again = unanswered
                .take()
                .filter(|it| is_timeout && !it.has_timed_out);
            *unanswered = again.map(|it| Unanswered {
                has_timed_out: true,
                ..it
            });
        });
    }
}

/// The text "we sent a code", by channel.
pub(crate) const fn sent_to(channel: Option<Channel>) -> Key {
    match channel {
        Some(Channel::Sms) => key!("sent-sms"),
        Some(Channel::Voice) => key!("sent-voice"),
        Some(Channel::Whatsapp) => key!("sent-whatsapp"),
        None => key!("sent"),
    }
}
