//! Reading sessions.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use countersign_core::{
    Application, Key, Session, SessionOver, recipient,
    transitions::{SendWait, ViewSession},
};
use countersign_shared::SessionId;
use countersign_store::StoreError;

use super::{Caller, Contact, Refusal, Requester, Verification, store_deadline, system_time};

/// A snapshot of a live session, for whoever has its id.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Session id.
    pub id: SessionId,
    /// Its contact.
    pub contact: Contact,
    /// Its state.
    pub session: Session,
}

impl SessionView {
    /// Its expiry.
    pub fn expires_at(&self) -> SystemTime {
        system_time(self.session.expires_at)
    }
}

impl Verification {
    /// Reads a session. No policy is applied: a live session stays live when the
    /// configuration changes.
    pub async fn view(&self, id: SessionId) -> Result<SessionView, Refusal> {
        let step = ViewSession {
            session: self.keys.session(id),
        };
        let session = self.store.read(step, store_deadline()).await??;
        let contact = self.keys.open_contact(id, &session.contact);
        let contact = contact.ok_or(Refusal::STORE_UNAVAILABLE)?;
        self.note_number(&contact.recipient);
        Ok(SessionView {
            id,
            contact,
            session,
        })
    }

    /// The application of a session that the requester may use.
    pub(super) fn application_of(
        &self,
        requester: &Requester,
        session: &Session,
    ) -> Result<Arc<Application>, Refusal> {
        let application = self.applications.get(&session.owner.application);
        application
            .filter(|_| session.owner.admits(requester.key()))
            .ok_or(Refusal::Over(SessionOver::NotFound))
    }

    /// Time until a resend by the last channel is admitted.
    pub async fn resend_in(
        &self,
        caller: &Caller,
        view: &SessionView,
    ) -> Result<Duration, StoreError> {
        let session = &view.session;
        let recipient = recipient::of_number(&view.contact.recipient);
        // A resend of a session made with a key counts for that session's user.
        let end_user = if session.owner.with_key {
            *session.end_user.clone()
        } else {
            self.keys.address(caller)
        };
        let Some(application) = self.applications.get(&session.owner.application) else {
            return Ok(Duration::ZERO);
        };
        let channel = session.last_channel();
        let step = SendWait {
            limits: self.send_limits(end_user, &application, &recipient, channel),
            rules: self.rules.clone(),
        };
        self.store.read(step, store_deadline()).await
    }

    /// Subscribes to commits of this instance by the rows they wrote; see
    /// [`Self::rows_of`].
    pub fn commits(&self) -> tokio::sync::broadcast::Receiver<Arc<[Key]>> {
        self.store.subscribe()
    }

    /// The rows that affect what a session's holder sees.
    pub fn rows_of(&self, view: &SessionView) -> [Key; 2] {
        [
            self.keys.session(view.id),
            view.session.upstream.key.clone(),
        ]
    }
}
