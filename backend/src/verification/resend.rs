//! The same session and code, delivered once more.

use countersign_core::{flow::Reserve, recipient, transitions::ReserveResend};
use countersign_metrics::UpstreamCall;
use countersign_shared::{Channel, SessionId, session::SessionStatus};

use super::{Caller, IdempotentRequest, Refusal, Sent, Verification, deliver::Delivery};
use crate::logging;

impl Verification {
    /// Delivers the session's code once more, by `channel` or the last one.
    pub async fn resend(
        &self,
        caller: &Caller,
        id: SessionId,
        channel: Option<Channel>,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        let kept_for = self.rules.session_lifetime;
        let claim = self.claim(caller, request.as_ref(), None, kept_for);
        let admission = match self.plivo.admit(UpstreamCall::Create) {
            Ok(admission) => admission,
            Err(error) => {
                let found = self.find_answer(claim).await?.ok_or(error)?;
                let number = self.view(id).await?.contact.recipient;
                return self.repeated_delivery(id, number, request.as_ref(), &found);
            }
        };
        let view = self.view(id).await?;
        let usual = view.session.last_channel();
        let channel = self.policy.channel(channel, usual);
        let channel = channel.ok_or(Refusal::ChannelNotAvailable)?;
        // A number that took the first channel need not take the other.
        let number = view.contact.recipient.as_str();
        let recipient = recipient::read(number, channel, &self.policy)?;
        // If the last way has failed, another one need not wait. Of a session that is over
        // Plivo is not asked: nothing is sent.
        let is_open = view.session.status == SessionStatus::Pending;
        let at_once = is_open && channel != usual && self.has_failed(&view).await?;
        let reserve = Reserve::Resend(ReserveResend {
            session: self.keys.session(id),
            channel,
            limits: self.send_limits(caller, &recipient, channel),
            at_once,
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
                locale: view.contact.locale,
                request,
                admission,
                is_first: false,
            },
        )
        .await
    }
}
