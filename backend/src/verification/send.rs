//! A new session and its first code.

use countersign_shared::{Channel, Locale, SessionId};

use super::{Recipient, Refusal, Refused, Sent, Verification, log_upstream, recipient};
use crate::{
    client_ip::Caller,
    metrics::{CountryCode, UpstreamCall},
    money::MicroDollars,
    store::{Hold, NewSession, SendReservation},
};

/// A send that passed every check that needs no state.
pub struct NewSend {
    recipient: Recipient,
    channel: Channel,
    locale: Option<Locale>,
    nonce: Option<String>,
}

impl Verification {
    /// Holds what is asked for against the settings: `recipient` is as a person
    /// wrote it.
    pub fn read_send(
        &self,
        recipient: &str,
        channel: Option<Channel>,
        locale: Option<Locale>,
        nonce: Option<String>,
    ) -> Result<NewSend, Refusal> {
        let channel = channel.unwrap_or(self.policy.channels[0]);
        self.offers(channel)?;
        Ok(NewSend {
            recipient: recipient::read(recipient, channel, &self.policy)?,
            channel,
            locale,
            nonce,
        })
    }

    /// Sends a code.
    pub async fn send(&self, caller: &Caller, new: NewSend) -> Result<Sent, Refused> {
        let NewSend {
            recipient,
            channel,
            locale,
            nonce,
        } = new;
        self.has_room(UpstreamCall::Create)?;
        let terms = self.send_terms(caller, &recipient, channel);
        let (country, price) = (recipient.country_code(), self.price(&recipient, channel));
        let session = NewSession {
            id: new_id(),
            recipient: recipient.number,
            channel,
            locale: locale.unwrap_or_else(|| self.rules.default_locale.clone()),
            nonce,
        };
        let hold = match self.store.reserve_send(&session.recipient, terms).await? {
            SendReservation::Reserved(hold) => hold,
            SendReservation::Wait(wait) => {
                self.note_slumps(country, &wait.slumps);
                return Err(self.must_wait(&wait).into());
            }
        };
        self.note_slumps(country, hold.slumps());
        self.note_spent(hold.spent());
        self.metrics.send_requested(country, channel);
        let sent = self.deliver_first(session, (country, price), hold).await;
        sent.map_err(Refusal::counted)
    }

    /// Asks Plivo to deliver what was reserved.
    async fn deliver_first(
        &self,
        session: NewSession,
        (country, price): (CountryCode, Option<MicroDollars>),
        hold: Hold,
    ) -> Result<Sent, Refusal> {
        let channel = session.channel;
        let created = self
            .create(&session.recipient, channel, &session.locale)
            .await;
        self.note_expected((country, channel), price, &created);
        match created {
            Ok(upstream_id) => {
                self.metrics.send_accepted(country, channel);
                log::info!(
                    event = "otp.sent",
                    recipient = session.recipient.masked().as_str(),
                    channel = channel.as_str();
                    "code sent"
                );
                let recorded = self.store.record_sent(&session, upstream_id, &hold).await;
                let session = recorded.map_err(Refusal::unsettled)?;
                Ok(Sent {
                    resend_in: hold.next_in(session.seen_at),
                    session,
                })
            }
            Err(error) => {
                log_upstream("create", error);
                if error.never_left() {
                    self.store.release_send(&session.recipient, hold).await?;
                }
                Err(error.into())
            }
        }
    }
}

fn new_id() -> SessionId {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    SessionId::from_random_bytes(bytes)
}
