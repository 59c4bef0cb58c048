//! Trying a code, and what the page does by itself so that its proof comes: repeat a
//! check whose answer was lost, and look how the session stands.

use countersign_shared::verify::VerifyRequest;
use leptos::prelude::*;

use crate::{
    acts::focus_after_render,
    api, browser,
    flow::{self, Background, CheckRequest, Checked, Flow},
    page::Page,
    spawn::spawn,
};

impl Page {
    /// Checks the code that was typed.
    pub(crate) fn verify(self) {
        let Some((length, ended)) = self.flow.with_untracked(|flow| {
            let session = flow.session()?;
            let length = session.otp_length.unwrap_or(flow::USUAL_LENGTH);
            Some((length, session.ending.is_some()))
        }) else {
            return;
        };
        if ended {
            browser::focus("ended-action");
            return;
        }
        if self.flow.with_untracked(Flow::is_busy) {
            return;
        }
        let otp = match self
            .code
            .with_untracked(|code| flow::read_code(code, length))
        {
            Ok(otp) => otp,
            Err(kind) => {
                self.flow.update(|flow| flow.refuse(kind));
                browser::focus("code");
                return;
            }
        };
        let key = browser::random_key().unwrap_or_default();
        let begun = self
            .flow
            .try_update(|flow| flow.begin_check(&otp, key, browser::now()));
        let Some(request) = begun.flatten() else {
            return;
        };
        // Before it leaves: a reload may come between.
        self.keep();
        spawn(async move {
            let checked = self.check(&request).await;
            if checked == Checked::Incorrect && request.otp != otp {
                // The code before this one is settled.
                self.verify();
            }
        });
    }

    /// Asks the server about a code, for the person or to repeat it.
    async fn check(self, request: &CheckRequest) -> Checked {
        let body = VerifyRequest {
            session_uuid: request.session.to_string(),
            otp: request.otp.clone(),
        };
        let answer = api::verify(&body, &request.key).await;
        let now = browser::now();
        let checked = self
            .flow
            .try_update(|flow| flow.checked(request, &answer, now))
            .unwrap_or(Checked::Ignored);
        self.keep();
        if matches!(checked, Checked::Ignored | Checked::Verified) {
            return checked;
        }
        let is_ended = self
            .flow
            .with_untracked(|flow| flow.session().is_some_and(|it| it.ending.is_some()));
        if is_ended {
            focus_after_render("ended-action");
        } else if request.ticket.is_some() {
            focus_after_render("code");
        }
        if checked == Checked::Refused {
            self.follow().await;
        }
        checked
    }

    /// The page can be seen again, or the network is back: the phone may have slept,
    /// an answer may have been lost, or another tab may have finished.
    pub(crate) fn look_again(self) {
        let hurried = self.flow.try_update(|flow| flow.hurry(browser::now()));
        if hurried == Some(true) {
            self.tick();
        } else {
            spawn(self.follow());
        }
    }

    /// Asks in the background how the session stands. Without an answer all
    /// stays as it is.
    pub(crate) async fn follow(self) {
        let Some(Some((id, tickets))) = self.flow.try_with_untracked(|flow| {
            let session = flow.session().filter(|session| session.ending.is_none())?;
            flow.pending
                .is_none()
                .then_some((session.id, flow.tickets()))
        }) else {
            return;
        };
        if let Ok(answer) = api::session(id).await {
            let now = browser::now();
            self.flow.try_update(|flow| {
                // Whatever was asked meanwhile knows better.
                if flow.tickets() == tickets {
                    flow.follow(&answer, now);
                }
            });
            self.keep();
        }
    }

    /// Lets time pass.
    pub(crate) fn tick(self) {
        let now = browser::now();
        self.now.set(now);
        if !self.flow.with_untracked(|flow| flow.is_due(now)) {
            return;
        }
        match self.flow.try_update(|flow| flow.tick(now)).flatten() {
            Some(Background::Repeat(request)) => spawn(async move {
                self.check(&request).await;
            }),
            Some(Background::Look) => {
                self.keep();
                self.look_again();
            }
            None => {}
        }
    }
}
