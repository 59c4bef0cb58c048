//! A session as its holder sees it.

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

/// A live session, seen at one moment by whoever has its name.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Its name.
    pub id: SessionId,
    /// Whom it is about.
    pub contact: Contact,
    /// How it stands.
    pub session: Session,
}

impl SessionView {
    /// When it ends.
    pub fn expires_at(&self) -> SystemTime {
        system_time(self.session.expires_at)
    }
}

impl Verification {
    /// The session as it stands. No policy is applied: a session that is live stays so
    /// when settings change.
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

    /// The application of a session that the requester may go on with.
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

    /// How long until a resend by the last channel passes.
    pub async fn resend_in(
        &self,
        caller: &Caller,
        view: &SessionView,
    ) -> Result<Duration, StoreError> {
        let session = &view.session;
        let recipient = recipient::of_number(&view.contact.recipient);
        // Whoever resends a session that a key made calls for its user.
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

    /// Tells of commits of this instance, by the rows they wrote; see
    /// [`Self::rows_of`].
    pub fn commits(&self) -> tokio::sync::broadcast::Receiver<Arc<[Key]>> {
        self.store.subscribe()
    }

    /// The rows whose commits may change what the session's holder sees.
    pub fn rows_of(&self, view: &SessionView) -> [Key; 2] {
        [
            self.keys.session(view.id),
            view.session.upstream.key.clone(),
        ]
    }
}
