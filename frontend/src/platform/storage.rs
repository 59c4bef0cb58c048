//! What outlives a reload: the session's name and the masked number, in this
//! tab only, until the session is over; and the code and its key for as long as the
//! answer to its check is outstanding.

use std::time::Duration;

use countersign_shared::SessionId;
use serde::{Deserialize, Serialize};
use web_sys::Storage;

use super::{clock, host::Host, json};
use crate::state::{Check, Session};

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
    /// The page that a server began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) page: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<KeptCheck>,
}

/// The check whose answer is outstanding.
#[derive(Serialize, Deserialize)]
struct KeptCheck {
    otp: String,
    key: String,
    /// Until when it is repeated, in milliseconds since 1970: the page's own clock
    /// begins anew with each page.
    repeat_until: u64,
}

impl Kept {
    /// The check whose answer is outstanding, while the server keeps it.
    pub(crate) fn check(&self, now: Duration) -> Option<Check> {
        let kept = self.check.as_ref()?;
        let until = Duration::from_millis(kept.repeat_until);
        let left = until.checked_sub(clock::wall())?;
        Some(Check::resuming(
            kept.otp.clone(),
            kept.key.clone(),
            now,
            left,
        ))
    }
}

/// Keeps a session for a reload.
pub(crate) fn keep(session: &Session, host: Host, now: Duration) {
    let check = session.check.as_ref().map(|check| {
        let left = check.repeat_until.saturating_sub(now);
        let until = clock::wall() + left;
        KeptCheck {
            otp: check.otp.clone(),
            key: check.key.clone(),
            repeat_until: until.as_millis().try_into().unwrap_or_default(),
        }
    });
    let kept = Kept {
        session_uuid: session.id,
        recipient: session.recipient.masked(),
        nonce: host.nonce,
        page: host.page,
        check,
    };
    write(&kept);
}

/// Forgets the code and its key, of a session that is not resumed here.
pub(crate) fn forget_check(kept: Kept) {
    write(&Kept {
        check: None,
        ..kept
    });
}

fn write(kept: &Kept) {
    if let (Some(storage), Some(text)) = (storage(), json::write(kept)) {
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
