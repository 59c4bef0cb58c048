//! What outlives a reload: the session's name and the masked number, in this
//! tab only, until the session is over.

use countersign_shared::SessionId;
use serde::{Deserialize, Serialize};
use web_sys::Storage;

use super::json;
use crate::state::Session;

const KEY: &str = "countersign";

/// What is kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The session's name.
    pub(crate) session_uuid: SessionId,
    /// The number with all but its last two digits hidden.
    pub(crate) recipient: String,
    /// What the session's proof repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<String>,
}

/// Keeps a session for a reload.
pub(crate) fn keep(session: &Session, nonce: Option<String>) {
    let kept = Kept {
        session_uuid: session.id,
        recipient: session.recipient.masked(),
        nonce,
    };
    if let (Some(storage), Some(text)) = (storage(), json::write(&kept)) {
        // A full or forbidden storage costs the resumption, nothing else.
        let _ = storage.set_item(KEY, &text);
    }
}

/// The session that was kept, if any.
pub(crate) fn kept() -> Option<Kept> {
    let text = storage()?.get_item(KEY).ok()??;
    json::read(json::parse(&text)?)
}

/// Forgets it.
pub(crate) fn clear() {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(KEY);
    }
}

fn storage() -> Option<Storage> {
    super::window()?.session_storage().ok()?
}
