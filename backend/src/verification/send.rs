//! A new session and its first code.

use std::sync::Arc;

use countersign_core::{
    Application, EndUserKeys, Key, NewSession, Owner, Recipient, Route, SendLimits, SessionRules,
    flow::Reserve, recipient, transitions::ReserveSend,
};
use countersign_metrics::UpstreamCall;
use countersign_shared::{Channel, Locale, PhoneNumber, Purpose, SessionId};

use super::{
    Caller, Contact, IdempotentRequest, Refusal, Requester, Sent, Verification, deliver::Delivery,
    test_numbers::Carrier,
};
use crate::logging;

/// A send request.
pub struct SendCommand {
    /// The application.
    pub application: Arc<Application>,
    /// The number as entered.
    pub recipient: String,
    /// The channel; the default one if none.
    pub channel: Option<Channel>,
    /// The language of the message; the default one if none.
    pub locale: Option<Locale>,
    /// Nonce of the proof.
    pub nonce: Option<String>,
    /// Purpose.
    pub purpose: Option<Purpose>,
}

/// A send with a parsed number.
pub(super) struct NewSend {
    pub(super) application: Arc<Application>,
    pub(super) recipient: Recipient,
    pub(super) channel: Channel,
    pub(super) contact: Contact,
    pub(super) end_user: EndUserKeys,
    /// The user's network, if known.
    pub(super) person: Option<Caller>,
    /// Whether the number is a test number.
    pub(super) is_test: bool,
    /// Whether its session requires a key.
    pub(super) with_key: bool,
    /// The begun page it belongs to.
    pub(super) page: Option<Key>,
}

impl Verification {
    /// Sends a code.
    pub async fn send(
        &self,
        requester: &Requester,
        command: SendCommand,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        let person = requester.person();
        let number = PhoneNumber::parse(&command.recipient).ok();
        let usual = command.application.policy.default_channel();
        let channel = command.channel.unwrap_or(usual);
        let application = command.application.clone();
        let outcome = self.try_send(requester, command, request).await;
        outcome.inspect_err(|refusal| {
            let asked = (number.as_ref(), Some(channel));
            self.note_refused(person.as_ref(), &application.id, asked, refusal);
        })
    }

    async fn try_send(
        &self,
        requester: &Requester,
        command: SendCommand,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        self.check_requester(requester)?;
        let (channel, recipient) = self.recipient(&command)?;
        let application = &command.application;
        let end_user = self.keys.end_user(requester);
        let end_user = end_user.unwrap_or_else(|| self.keys.without_address(&application.id));
        let send = NewSend {
            contact: self.contact(&command, &recipient),
            is_test: (self.test_number(recipient.number.as_str(), &application.id)).is_some(),
            person: requester.person(),
            application: command.application,
            recipient,
            channel,
            end_user,
            with_key: requester.application.is_some(),
            page: None,
        };
        self.begin(send, request).await
    }

    /// Parses the number and selects the channel.
    pub(super) fn recipient(&self, command: &SendCommand) -> Result<(Channel, Recipient), Refusal> {
        let policy = &command.application.policy;
        let channel = policy.channel(command.channel, policy.default_channel());
        let channel = channel.ok_or(Refusal::ChannelNotAvailable)?;
        let of = &command.application.id;
        let recipient = match self.test_number(&command.recipient, of) {
            Some(number) => Ok(recipient::of_number(&number)),
            None => self.read_recipient(&command.recipient, channel, policy),
        };
        // Also for a refused number, if it can be parsed.
        let number = recipient
            .as_ref()
            .map(|recipient| recipient.number.clone())
            .or_else(|_| PhoneNumber::parse(&command.recipient));
        if let Ok(number) = number {
            self.note_number(&number);
        }
        let recipient = recipient?;
        self.check_number(&recipient)?;
        Ok((channel, recipient))
    }

    /// The session's contact.
    pub(super) fn contact(&self, command: &SendCommand, recipient: &Recipient) -> Contact {
        let locale = command.locale.as_ref();
        Contact {
            recipient: recipient.number.clone(),
            locale: locale.unwrap_or(&self.rules.default_locale).clone(),
            nonce: command.nonce.clone(),
            purpose: command.purpose,
        }
    }

    /// Begins a session with its first code.
    pub(super) async fn begin(
        &self,
        send: NewSend,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        let NewSend {
            application,
            recipient,
            channel,
            contact,
            end_user,
            person,
            is_test,
            with_key,
            page,
        } = send;
        let id = new_id();
        let kept_for = self.rules.session_lifetime;
        let claim = self.claim(&end_user, request.as_ref(), Some(id), kept_for);
        let carrier = match self.carrier(is_test, UpstreamCall::Create) {
            Ok(carrier) => carrier,
            Err(error) => {
                let found = self.find_answer(claim).await?.ok_or(error)?;
                return self.repeated_delivery(id, recipient.number, request.as_ref(), &found);
            }
        };
        let (rules, limits) = self.limits_of(
            &carrier,
            id,
            end_user.clone(),
            (&application, &recipient, channel),
        );
        let new = NewSession {
            key: self.keys.session(id),
            number: limits.number.clone(),
            contact: self.keys.seal_contact(id, &contact),
            channel,
            owner: Owner {
                application: application.id.clone(),
                with_key,
            },
            end_user,
        };
        let reserve = Reserve::Send(ReserveSend {
            limits,
            new,
            page,
            claim,
            request_id: logging::request_id().unwrap_or_default(),
            rules,
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
                carrier,
                person,
                is_first: true,
            },
        )
        .await
    }

    /// Rules and limits of a send or resend.
    pub(super) fn limits_of(
        &self,
        carrier: &Carrier,
        session: SessionId,
        end_user: EndUserKeys,
        (application, recipient, channel): (&Application, &Recipient, Channel),
    ) -> (Arc<SessionRules>, SendLimits) {
        match carrier {
            Carrier::Plivo(_) => {
                let limits = self.send_limits(end_user, application, recipient, channel);
                (self.rules.clone(), limits)
            }
            Carrier::Test => {
                let limits = self.test_limits(session, end_user, (recipient, channel));
                (self.test_rules.clone(), limits)
            }
        }
    }

    /// Limits of a further code to this number.
    pub(super) fn send_limits(
        &self,
        end_user: EndUserKeys,
        application: &Application,
        recipient: &Recipient,
        channel: Channel,
    ) -> SendLimits {
        let keys = self.keys.send(end_user, recipient);
        let known_reserve = self.limits.known_reserve(&keys);
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
            known_reserve,
            destination: self.keys.destination(recipient),
            route: Route {
                country: recipient.country.clone(),
                channel,
            },
            is_allowed: self.is_allowed(recipient),
        }
    }
}

pub(super) fn new_id() -> SessionId {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    SessionId::from_random_bytes(bytes)
}
