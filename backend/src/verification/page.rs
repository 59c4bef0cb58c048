//! Pages begun by an application's server for a number it knows; the code is sent when the
//! user asks for it.

use std::{sync::Arc, time::SystemTime};

use countersign_core::{
    Application, ApplicationId, EndUserKeys, SessionOver, recipient,
    transitions::{BeginPage, ViewPage},
};
use countersign_shared::{Channel, Locale, SessionId, page::LIFETIME};
use serde::{Deserialize, Serialize};

use super::{
    Contact, IdempotentRequest, Refusal, Requester, SendCommand, Sent, Verification,
    send::{NewSend, new_id},
    store_deadline, system_time,
};

/// A begun page.
pub struct BegunPage {
    /// Its id.
    pub id: SessionId,
    /// When the code can no longer be requested.
    pub until: SystemTime,
}

/// How the page returns, as requested by the application.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WayBack {
    /// By redirect to this URL.
    pub return_to: Option<String>,
    /// Or by message to the embedding page of this origin.
    pub embed: Option<String>,
    /// Opaque string of the application.
    pub state: Option<String>,
}

/// A begun page, read back.
pub struct PageView {
    /// The application.
    pub application: Arc<Application>,
    /// The number, and the content of the proof.
    pub contact: Contact,
    /// How it returns.
    pub way_back: WayBack,
    /// The channel.
    pub channel: Channel,
    user: Option<String>,
}

/// The sealed form, opened by the page's id.
#[derive(Serialize, Deserialize)]
struct Content {
    application: ApplicationId,
    contact: String,
    channel: Channel,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    way_back: WayBack,
}

impl Verification {
    /// Stores a page. A number that would be refused is refused now.
    pub async fn begin_page(
        &self,
        requester: &Requester,
        command: SendCommand,
        way_back: WayBack,
    ) -> Result<BegunPage, Refusal> {
        self.check_requester(requester)?;
        let (channel, recipient) = self.recipient(&command)?;
        let content = Content {
            application: command.application.id.clone(),
            contact: self.contact(&command, &recipient).to_text(),
            channel,
            user: self.keys.end_user(requester).and_then(|keys| keys.user),
            way_back,
        };
        let content = serde_json::to_string(&content).expect("plain values are JSON");
        let id = new_id();
        let step = BeginPage {
            page: self.keys.page(id),
            content: self.keys.seal_page(id, &content),
            lifetime: LIFETIME,
        };
        let until = self.store.run(step, store_deadline()).await?;
        Ok(BegunPage {
            id,
            until: system_time(until),
        })
    }

    /// Reads a page.
    pub async fn page(&self, id: SessionId) -> Result<PageView, Refusal> {
        let step = ViewPage {
            page: self.keys.page(id),
        };
        let sealed = self.store.read(step, store_deadline()).await??;
        let read = || {
            let text = self.keys.open_page(id, &sealed)?;
            let content: Content = serde_json::from_str(&text).ok()?;
            Some((Contact::from_text(&content.contact)?, content))
        };
        let (contact, content) = read().ok_or(Refusal::STORE_UNAVAILABLE)?;
        self.note_number(&contact.recipient);
        let application = self.applications.get(&content.application);
        Ok(PageView {
            application: application.ok_or(Refusal::Over(SessionOver::NotFound))?,
            contact,
            way_back: content.way_back,
            channel: content.channel,
            user: content.user,
        })
    }

    /// Sends the page's code, once. The request comes from the user: their address counts,
    /// and they continue without a key.
    pub async fn send_page(
        &self,
        requester: &Requester,
        id: SessionId,
        (channel, locale): (Option<Channel>, Option<Locale>),
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        let view = self.page(id).await?;
        let number = view.contact.recipient.clone();
        let asked = channel.unwrap_or(view.channel);
        let application = view.application.id.clone();
        let outcome = self
            .try_send_page(requester, id, view, (channel, locale), request)
            .await;
        outcome.inspect_err(|refusal| {
            let asked = (Some(&number), Some(asked));
            self.note_refused(Some(&requester.caller), &application, asked, refusal);
        })
    }

    async fn try_send_page(
        &self,
        requester: &Requester,
        id: SessionId,
        view: PageView,
        (channel, locale): (Option<Channel>, Option<Locale>),
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        self.check_requester(requester)?;
        let policy = &view.application.policy;
        let channel = policy.channel(channel, view.channel);
        let channel = channel.ok_or(Refusal::ChannelNotAvailable)?;
        let number = view.contact.recipient.as_str();
        let is_test = self.test_number(number, &view.application.id).is_some();
        let recipient = if is_test {
            recipient::of_number(&view.contact.recipient)
        } else {
            self.read_recipient(number, channel, policy)?
        };
        self.check_number(&recipient)?;
        let contact = Contact {
            locale: locale.unwrap_or_else(|| view.contact.locale.clone()),
            ..view.contact
        };
        let end_user = EndUserKeys {
            user: view.user,
            ..self.keys.address(&requester.caller)
        };
        let send = NewSend {
            application: view.application,
            recipient,
            channel,
            contact,
            end_user,
            person: Some(requester.caller),
            is_test,
            with_key: false,
            page: Some(self.keys.page(id)),
        };
        self.begin(send, request).await
    }
}
