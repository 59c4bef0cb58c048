//! The same session and code, delivered once more.

use countersign_shared::{Channel, SessionId};

use super::{Refusal, Refused, Sent, Verification, log_upstream, recipient};
use crate::{
    client_ip::Caller,
    metrics::{CountryCode, UpstreamCall},
    money::MicroDollars,
    store::{Hold, ResendReservation, Session, queue::Kind},
};

impl Verification {
    /// Delivers the session's code once more, by `channel` or the last one.
    pub async fn resend(
        &self,
        caller: &Caller,
        id: SessionId,
        channel: Option<Channel>,
    ) -> Result<Sent, Refused> {
        self.has_room(UpstreamCall::Create)?;
        let session = {
            let _under_way = self.store_queue.enter(Kind::Send);
            self.store.session(id).await??
        };
        let channel = channel.unwrap_or(session.last_channel());
        self.offers(channel)?;
        // A number that took the first channel need not take the other.
        let recipient = recipient::read(session.recipient.as_str(), channel, &self.policy)?;
        let terms = self.send_terms(caller, &recipient, channel);
        let (country, price) = (recipient.country_code(), self.price(&recipient, channel));
        // Where the last way has failed, another one need not wait.
        let at_once = channel != session.last_channel() && self.has_failed(&session).await?;
        let hold = match self.store.reserve_resend(&session, terms, at_once).await? {
            ResendReservation::Reserved(hold) => hold,
            ResendReservation::Wait(wait) => {
                self.note_slumps(country, &wait.slumps);
                return Err(self.must_wait(&wait).into());
            }
            ResendReservation::Over(over) => return Err(over.into()),
        };
        self.note_slumps(country, hold.slumps());
        self.note_spent(hold.spent());
        self.metrics.send_requested(country, channel);
        let sent = self.deliver_again((&session, channel), (country, price), hold);
        sent.await.map_err(Refusal::counted)
    }

    /// Asks Plivo to deliver what was reserved.
    async fn deliver_again(
        &self,
        (session, channel): (&Session, Channel),
        (country, price): (CountryCode, Option<MicroDollars>),
        hold: Hold,
    ) -> Result<Sent, Refusal> {
        let created = self
            .create(&session.recipient, channel, &session.locale)
            .await;
        self.note_expected((country, channel), price, &created);
        match created {
            Ok(upstream_id) => {
                self.metrics.send_accepted(country, channel);
                log::info!(
                    event = "otp.resent",
                    recipient = session.recipient.masked().as_str(),
                    channel = channel.as_str();
                    "code sent again"
                );
                let recorded = self
                    .store
                    .record_resent(session, channel, upstream_id, &hold);
                let session = recorded.await.map_err(Refusal::unsettled)??;
                Ok(Sent {
                    resend_in: hold.next_in(session.seen_at),
                    session,
                })
            }
            Err(error) => {
                log_upstream("resend", error);
                if error.never_left() {
                    self.store.release_send(&session.recipient, hold).await?;
                }
                Err(error.into())
            }
        }
    }
}
