//! Reading a session.

use crate::{Key, Rows, Session, SessionOver, Transition, Unreadable, session::SessionRow};

/// Reads a session, even if it is verified or exhausted. It applies no policy: a session
/// that is live stays so when settings change.
pub struct ViewSession {
    /// The session's row.
    pub session: Key,
}

impl Transition for ViewSession {
    type Outcome = Result<Session, SessionOver>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(SessionRow::keys(&self.session).to_vec())
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable> {
        let live = SessionRow::live(rows, &self.session)?;
        let seen = live.map(|row| row.seen(rows.now()));
        Ok(seen.and_then(|seen| seen.ok_or(SessionOver::NotFound)))
    }
}
