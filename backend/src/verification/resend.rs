//! The same session and code, delivered once more.

use countersign_core::{flow::Reserve, recipient, transitions::ReserveResend};
use countersign_metrics::UpstreamCall;
use countersign_shared::{Channel, SessionId, session::SessionStatus};

use super::{IdempotentRequest, Refusal, Requester, Sent, Verification, deliver::Delivery};
use crate::logging;

impl Verification {
    /// Delivers the session's code once more, by `channel` or the last one.
    pub async fn resend(
        &self,
        requester: &Requester,
        id: SessionId,
        channel: Option<Channel>,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        let view = self.view(id).await?;
        let end_user = self.keys.end_user(requester);
        let end_user = end_user.unwrap_or_else(|| *view.session.end_user.clone());
        let kept_for = self.rules.session_lifetime;
        let claim = self.claim(&end_user, request.as_ref(), None, kept_for);
        let admission = match self.plivo.admit(UpstreamCall::Create) {
            Ok(admission) => admission,
            Err(error) => {
                let found = self.find_answer(claim).await?.ok_or(error)?;
                let number = view.contact.recipient;
                return self.repeated_delivery(id, number, request.as_ref(), &found);
            }
        };
        let application = self.application_of(requester, &view.session)?;
        let policy = &application.policy;
        let usual = view.session.last_channel();
        let channel = policy.channel(channel, usual);
        let channel = channel.ok_or(Refusal::ChannelNotAvailable)?;
        // A number that took the first channel need not take the other.
        let number = view.contact.recipient.as_str();
        let recipient = recipient::read(number, channel, policy)?;
        // If the last way has failed, another one need not wait. Of a session that is over
        // Plivo is not asked: nothing is sent.
        let is_open = view.session.status == SessionStatus::Pending;
        let at_once = is_open && channel != usual && self.has_failed(&view).await?;
        let reserve = Reserve::Resend(ReserveResend {
            session: self.keys.session(id),
            application: requester.key().cloned(),
            channel,
            limits: self.send_limits(end_user, &application, &recipient, channel),
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
                purpose: view.contact.purpose,
                application,
                request,
                admission,
                is_first: false,
            },
        )
        .await
    }
}
