//! A new session and its first code.

use countersign_core::{
    NewSession, SendLimits, flow::Reserve, recipient, transitions::ReserveSend,
};
use countersign_metrics::UpstreamCall;
use countersign_shared::{Channel, Locale, PhoneNumber, SessionId};

use super::{
    Caller, Contact, IdempotentRequest, Refusal, Sent, Verification, deliver::Delivery, row_keys,
};
use crate::logging;

/// What is asked of a send.
pub struct SendCommand {
    /// The number as a person wrote it.
    pub recipient: String,
    /// How the code is to travel; the usual way where none is named.
    pub channel: Option<Channel>,
    /// The language of the message; the usual one where none is named.
    pub locale: Option<Locale>,
    /// What the proof repeats.
    pub nonce: Option<String>,
}

impl Verification {
    /// Sends a code.
    pub async fn send(
        &self,
        caller: &Caller,
        command: SendCommand,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        let usual = self.policy.default_channel();
        let channel = self.policy.channel(command.channel, usual);
        let channel = channel.ok_or(Refusal::ChannelNotAvailable)?;
        let recipient = recipient::read(&command.recipient, channel, &self.policy);
        // Also of a number that is refused, where it is one.
        let number = recipient
            .as_ref()
            .map(|recipient| recipient.number.clone())
            .or_else(|_| PhoneNumber::parse(&command.recipient));
        if let Ok(number) = number {
            self.note_number(&number);
        }
        let recipient = recipient?;
        let id = new_id();
        let kept_for = self.rules.session_lifetime;
        let claim = self.claim(caller, request.as_ref(), Some(id), kept_for);
        let admission = match self.plivo.admit(UpstreamCall::Create) {
            Ok(admission) => admission,
            Err(error) => {
                let found = self.find_answer(claim).await?.ok_or(error)?;
                return self.repeated_delivery(id, recipient.number, request.as_ref(), &found);
            }
        };
        let contact = Contact {
            recipient: recipient.number.clone(),
            locale: command
                .locale
                .unwrap_or_else(|| self.rules.default_locale.clone()),
            nonce: command.nonce,
        };
        let new = NewSession {
            key: self.keys.session(id),
            number: self.keys.number(&recipient.number),
            contact: self.keys.seal_contact(id, &contact),
            channel,
        };
        let reserve = Reserve::Send(ReserveSend {
            limits: self.send_limits(caller, &recipient, channel),
            new,
            claim,
            request_id: logging::request_id().unwrap_or_default(),
            rules: self.rules.clone(),
        });
        self.deliver(
            reserve,
            Delivery {
                session_id: id,
                recipient,
                channel,
                locale: contact.locale,
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
        caller: &Caller,
        recipient: &countersign_core::Recipient,
        channel: Channel,
    ) -> SendLimits {
        let keys = self.keys.send(caller, recipient);
        let budget = self
            .budget
            .as_ref()
            .and_then(|budget| budget.of_send(&self.keys.budget(), &recipient.country, channel));
        SendLimits {
            checks: row_keys::with_budget(self.limits.of_send(&keys, channel), budget),
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
