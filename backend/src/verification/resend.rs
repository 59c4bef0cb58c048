//! The same session and code, delivered once more.

use countersign_core::{flow::Reserve, recipient, transitions::ReserveResend};
use countersign_metrics::UpstreamCall;
use countersign_shared::{Channel, SessionId};

use super::{
    Caller, IdempotentRequest, Refusal, Sent, SessionView, Verification, deliver::Delivery,
    test_numbers::Carrier,
};

impl Verification {
    /// Delivers the session's code once more, by `channel` or the last one.
    pub async fn resend(
        &self,
        caller: &Caller,
        id: SessionId,
        channel: Option<Channel>,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        let view = self.view(id).await?;
        let number = view.contact.recipient.clone();
        let asked = channel.or(Some(view.session.last_channel()));
        let outcome = self.try_resend(caller, view, channel, request).await;
        outcome.inspect_err(|refusal| {
            self.note_refused(caller, Some(&number), asked, refusal);
        })
    }

    async fn try_resend(
        &self,
        caller: &Caller,
        view: SessionView,
        channel: Option<Channel>,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        self.check_address(caller.address())?;
        let id = view.id;
        let carrier = if self.is_test(&view) {
            Carrier::Test
        } else {
            Carrier::Plivo(self.plivo.admit(UpstreamCall::Create)?)
        };
        let usual = view.session.last_channel();
        let channel = self.policy.channel(channel, usual);
        let channel = channel.ok_or(Refusal::ChannelNotAvailable)?;
        // A number that took the first channel need not take the other.
        let number = view.contact.recipient.as_str();
        let recipient = match carrier {
            Carrier::Plivo(_) => self.read_recipient(number, channel)?,
            Carrier::Test => recipient::of_number(&view.contact.recipient),
        };
        self.check_number(&recipient)?;
        // If the last way has failed, another one need not wait.
        let at_once = channel != usual && self.has_failed(&view).await?;
        let kept_for = self.rules.session_lifetime;
        let claim = request
            .as_ref()
            .map(|request| self.keys.claim(request, None, kept_for));
        let (rules, limits) = match carrier {
            Carrier::Plivo(_) => (&self.rules, self.send_limits(caller, &recipient, channel)),
            Carrier::Test => {
                let session = (id, &recipient);
                let limits = self.test_limits(&self.keys, caller, session, channel);
                (&self.test_rules, limits)
            }
        };
        let reserve = Reserve::Resend(ReserveResend {
            session: self.keys.session(id),
            channel,
            limits,
            at_once,
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
                locale: view.contact.locale,
                request,
                carrier,
                is_first: false,
            },
        )
        .await
    }
}
