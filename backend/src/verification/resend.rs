//! The same session and code, delivered once more.

use countersign_shared::{Channel, SessionId};

use super::{Refusal, Verification, log_upstream, recipient};
use crate::{
    plivo::{Create, PlivoError},
    store::{ResendReservation, Session},
};

impl Verification {
    /// Delivers the session's code once more, by `channel` or the last one.
    pub async fn resend(
        &self,
        id: SessionId,
        channel: Option<Channel>,
    ) -> Result<Session, Refusal> {
        let session = self.store.session(id).await??;
        let last = session.deliveries.last().map(|delivery| delivery.channel);
        let channel = self.channel(channel, last.unwrap_or_default())?;
        // A number that took the first channel need not take the other.
        recipient::read(session.recipient.as_str(), channel, &self.policy)?;
        let pending = match self.store.reserve_resend(id).await? {
            ResendReservation::Reserved(pending) => pending,
            ResendReservation::TooSoon { retry_after } => {
                return Err(Refusal::RateLimited { retry_after });
            }
            ResendReservation::Over(over) => return Err(over.into()),
        };
        let created = self
            .plivo
            .create(&Create {
                recipient: &pending.recipient,
                channel,
                locale: &pending.locale,
                brand_name: &self.brand_name,
                otp_length: self.rules.otp_length,
            })
            .await;
        match created {
            Ok(upstream_id) => {
                log::info!(
                    event = "otp.resent",
                    recipient = pending.recipient.masked().as_str(),
                    channel = channel.as_str();
                    "code sent again"
                );
                Ok(self.store.record_resent(id, channel, upstream_id).await??)
            }
            Err(error) => {
                log_upstream("resend", error);
                if error == PlivoError::Unreachable {
                    self.store.release_resend(id).await?;
                }
                Err(error.into())
            }
        }
    }
}
