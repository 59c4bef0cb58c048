//! A new session and its first code.

use countersign_core::{
    NewSession, Route, SendLimits, flow::Reserve, recipient, transitions::ReserveSend,
};
use countersign_metrics::UpstreamCall;
use countersign_shared::{Channel, Locale, PhoneNumber, SessionId};

use super::{
    Caller, Contact, IdempotentRequest, Refusal, Sent, Verification, deliver::Delivery, row_keys,
    test_numbers::Carrier,
};

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
        let number = PhoneNumber::parse(&command.recipient).ok();
        let channel = command.channel.or(Some(self.policy.default_channel()));
        let outcome = self.try_send(caller, command, request).await;
        outcome.inspect_err(|refusal| {
            self.note_refused(caller, number.as_ref(), channel, refusal);
        })
    }

    async fn try_send(
        &self,
        caller: &Caller,
        command: SendCommand,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        self.check_address(caller.address())?;
        let usual = self.policy.default_channel();
        let channel = self.policy.channel(command.channel, usual);
        let channel = channel.ok_or(Refusal::ChannelNotAvailable)?;
        let test_number = self.test_number(&command.recipient);
        let recipient = match &test_number {
            Some(number) => Ok(recipient::of_number(number)),
            None => self.read_recipient(&command.recipient, channel),
        };
        // Also of a number that is refused, where it is one.
        let number = recipient
            .as_ref()
            .map(|recipient| recipient.number.clone())
            .or_else(|_| PhoneNumber::parse(&command.recipient));
        if let Ok(number) = number {
            self.note_number(&number);
        }
        let recipient = recipient?;
        self.check_number(&recipient)?;
        let carrier = match test_number {
            Some(_) => Carrier::Test,
            None => Carrier::Plivo(self.plivo.admit(UpstreamCall::Create)?),
        };
        let id = new_id();
        let (rules, limits) = match carrier {
            Carrier::Plivo(_) => (&self.rules, self.send_limits(caller, &recipient, channel)),
            Carrier::Test => {
                let session = (id, &recipient);
                let limits = self.test_limits(&self.keys, caller, session, channel);
                (&self.test_rules, limits)
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
            number: limits.number.clone(),
            contact: self.keys.seal_contact(id, &contact),
            channel,
        };
        let kept_for = self.rules.session_lifetime;
        let claim = request
            .as_ref()
            .map(|request| self.keys.claim(request, Some(id), kept_for));
        let reserve = Reserve::Send(ReserveSend {
            limits,
            new,
            claim,
            rules: rules.clone(),
        });
        self.deliver(
            reserve,
            Delivery {
                caller: *caller,
                session_id: id,
                recipient,
                channel,
                locale: contact.locale,
                request,
                carrier,
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
            known_reserve: self.limits.known_reserve(&keys),
            number: keys.number,
            destination: self.keys.destination(recipient),
            route: Route {
                country: recipient.country.clone(),
                channel,
            },
            is_allowed: self.is_allowed(recipient),
        }
    }
}

fn new_id() -> SessionId {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    SessionId::from_random_bytes(bytes)
}
