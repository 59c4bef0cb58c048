//! Resend: delivers the same code again.

use countersign_core::{flow::Reserve, recipient, transitions::ReserveResend};
use countersign_metrics::UpstreamCall;
use countersign_shared::{Channel, SessionId, session::SessionStatus};

use super::{
    IdempotentRequest, Refusal, Requester, Sent, SessionView, Verification, deliver::Delivery,
    test_numbers::Carrier,
};
use crate::logging;

impl Verification {
    /// Resends the session's code by `channel`, or the last one.
    pub async fn resend(
        &self,
        requester: &Requester,
        id: SessionId,
        channel: Option<Channel>,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        let view = self.view(id).await?;
        let number = view.contact.recipient.clone();
        let asked = channel.unwrap_or_else(|| view.session.last_channel());
        let application = view.session.owner.application.clone();
        let outcome = self.try_resend(requester, view, channel, request).await;
        outcome.inspect_err(|refusal| {
            let (person, asked) = (requester.person(), (Some(&number), Some(asked)));
            self.note_refused(person.as_ref(), &application, asked, refusal);
        })
    }

    async fn try_resend(
        &self,
        requester: &Requester,
        view: SessionView,
        channel: Option<Channel>,
        request: Option<IdempotentRequest>,
    ) -> Result<Sent, Refusal> {
        self.check_requester(requester)?;
        let id = view.id;
        let end_user = self.keys.end_user(requester);
        let end_user = end_user.unwrap_or_else(|| *view.session.end_user.clone());
        let kept_for = self.rules.session_lifetime;
        let claim = self.claim(&end_user, request.as_ref(), None, kept_for);
        let carrier = match self.carrier(self.is_test(&view), UpstreamCall::Create) {
            Ok(carrier) => carrier,
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
        // A number that can receive the first channel may not receive the other.
        let number = view.contact.recipient.as_str();
        let recipient = match carrier {
            Carrier::Plivo(_) => self.read_recipient(number, channel, policy)?,
            Carrier::Test => recipient::of_number(&view.contact.recipient),
        };
        self.check_number(&recipient)?;
        // If the last delivery failed, another channel needs no wait. For a session that
        // has ended Plivo is not asked, because nothing is sent.
        let is_open = view.session.status == SessionStatus::Pending;
        let at_once = is_open && channel != usual && self.has_failed(&view).await?;
        let of = (&*application, &recipient, channel);
        let (rules, limits) = self.limits_of(&carrier, id, end_user, of);
        let reserve = Reserve::Resend(ReserveResend {
            session: self.keys.session(id),
            application: requester.key().cloned(),
            channel,
            limits,
            at_once,
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
                locale: view.contact.locale,
                purpose: view.contact.purpose,
                application,
                request,
                carrier,
                person: requester.person(),
                is_first: false,
            },
        )
        .await
    }
}
