//! A new session and its first code.

use std::sync::Arc;

use countersign_core::{
    Application, EndUserKeys, NewSession, Owner, SendLimits, flow::Reserve, recipient,
    transitions::ReserveSend,
};
use countersign_metrics::UpstreamCall;
use countersign_shared::{Channel, Locale, PhoneNumber, Purpose, SessionId};

use super::{
    Contact, IdempotentRequest, Refusal, Requester, Sent, Verification, deliver::Delivery,
};

/// What is asked of a send.
pub struct SendCommand {
    /// The application that it is for.
    pub application: Arc<Application>,
    /// The number as a person wrote it.
    pub recipient: String,
    /// How the code is to travel; the usual way where none is named.
    pub channel: Option<Channel>,
    /// The language of the message; the usual one where none is named.
    pub locale: Option<Locale>,
    /// What the proof repeats.
    pub nonce: Option<String>,
    /// What it is for.
    pub purpose: Option<Purpose>,
}

impl Verification {
    /// Sends a code.
    pub async fn send(
        &self,
        requester: &Requester,
        command: SendCommand,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        let application = command.application;
        let policy = &application.policy;
        let channel = policy.channel(command.channel, policy.default_channel());
        let channel = channel.ok_or(Refusal::ChannelNotAvailable)?;
        let recipient = recipient::read(&command.recipient, channel, policy);
        // Also of a number that is refused, where it is one.
        let number = recipient
            .as_ref()
            .map(|recipient| recipient.number.clone())
            .or_else(|_| PhoneNumber::parse(&command.recipient));
        if let Ok(number) = number {
            self.note_number(&number);
        }
        let recipient = recipient?;
        let admission = self.plivo.admit(UpstreamCall::Create)?;
        let id = new_id();
        let contact = Contact {
            recipient: recipient.number.clone(),
            locale: command
                .locale
                .unwrap_or_else(|| self.rules.default_locale.clone()),
            nonce: command.nonce,
            purpose: command.purpose,
        };
        let end_user = self.keys.end_user(requester);
        let end_user = end_user.unwrap_or_else(|| self.keys.without_address(&application.id));
        let new = NewSession {
            key: self.keys.session(id),
            number: self.keys.number(&recipient.number),
            contact: self.keys.seal_contact(id, &contact),
            channel,
            owner: Owner {
                application: application.id.clone(),
                with_key: requester.application.is_some(),
            },
            end_user: end_user.clone(),
        };
        let kept_for = self.rules.session_lifetime;
        let claim = request
            .as_ref()
            .map(|request| self.keys.claim(request, Some(id), kept_for));
        let reserve = Reserve::Send(ReserveSend {
            limits: self.send_limits(end_user, &application, &recipient, channel),
            new,
            claim,
            rules: self.rules.clone(),
        });
        self.deliver(
            reserve,
            Delivery {
                session_id: id,
                recipient,
                channel,
                locale: contact.locale,
                purpose: contact.purpose,
                application,
                request,
                admission,
                is_first: true,
            },
        )
        .await
    }

    /// What one more code to this number is held against, first or again.
    pub(super) fn send_limits(
        &self,
        end_user: EndUserKeys,
        application: &Application,
        recipient: &countersign_core::Recipient,
        channel: Channel,
    ) -> SendLimits {
        let keys = self.keys.send(end_user, recipient);
        let budget = self.budget.as_ref();
        let caps =
            budget.and_then(|it| it.of_send(&self.keys.budget(), &recipient.country, channel));
        let own = application.of_send(
            &self.keys.application(&application.id),
            budget.map(|budget| &budget.prices),
            (&recipient.country, channel),
        );
        let mut checks = self.limits.of_send(&keys, channel);
        checks.extend(caps.into_iter().chain(own));
        SendLimits {
            checks,
            number: keys.number,
            destination: self.keys.destination(recipient),
        }
    }
}

fn new_id() -> SessionId {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    SessionId::from_random_bytes(bytes)
}
