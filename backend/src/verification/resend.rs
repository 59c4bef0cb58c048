//! The same session and code, delivered once more.

use countersign_core::{flow::Reserve, recipient, transitions::ReserveResend};
use countersign_metrics::UpstreamCall;
use countersign_shared::{Channel, SessionId};

use super::{IdempotentRequest, Refusal, Requester, Sent, Verification, deliver::Delivery};

impl Verification {
    /// Delivers the session's code once more, by `channel` or the last one.
    pub async fn resend(
        &self,
        requester: &Requester,
        id: SessionId,
        channel: Option<Channel>,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        let admission = self.plivo.admit(UpstreamCall::Create)?;
        let view = self.view(id).await?;
        let application = self.application_of(requester, &view.session)?;
        let policy = &application.policy;
        let usual = view.session.last_channel();
        let channel = policy.channel(channel, usual);
        let channel = channel.ok_or(Refusal::ChannelNotAvailable)?;
        // A number that took the first channel need not take the other.
        let number = view.contact.recipient.as_str();
        let recipient = recipient::read(number, channel, policy)?;
        // If the last way has failed, another one need not wait.
        let at_once = channel != usual && self.has_failed(&view).await?;
        let end_user = self.keys.end_user(requester);
        let end_user = end_user.unwrap_or_else(|| *view.session.end_user.clone());
        let kept_for = self.rules.session_lifetime;
        let claim = request
            .as_ref()
            .map(|request| self.keys.claim(request, None, kept_for));
        let reserve = Reserve::Resend(ReserveResend {
            session: self.keys.session(id),
            application: requester.key().cloned(),
            channel,
            limits: self.send_limits(end_user, &application, &recipient, channel),
            at_once,
            claim,
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
