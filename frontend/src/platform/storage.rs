//! Session storage of the tab: session id and masked number until the session is over;
//! code and idempotency key while the response to a check is outstanding.

use std::time::Duration;

use countersign_shared::SessionId;
use serde::{Deserialize, Serialize};
use web_sys::Storage;

use super::{clock, host::Host, json};
use crate::state::{Check, Session};

const KEY: &str = "countersign";

/// The stored session.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Session id.
    pub(crate) session_uuid: SessionId,
    /// Masked number.
    pub(crate) recipient: String,
    /// Nonce of the proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<String>,
    /// Id of the page that the application's server began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) page: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<KeptCheck>,
}

/// A check whose response is outstanding.
#[derive(Serialize, Deserialize)]
struct KeptCheck {
    otp: String,
    key: String,
    /// When to stop repeating it, in milliseconds since 1970: the page's own clock
    /// starts anew with each page.
    repeat_until: u64,
}

impl Kept {
    /// The outstanding check, while the server keeps its answer.
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

/// Stores a session, for a reload.
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

/// Removes code and idempotency key of a stored session that is not resumed.
pub(crate) fn forget_check(kept: Kept) {
    write(&Kept {
        check: None,
        ..kept
    });
}

fn write(kept: &Kept) {
    if let (Some(storage), Some(text)) = (storage(), json::write(kept)) {
        // If storage is full or disabled, only resumption is lost.
        let _ = storage.set_item(KEY, &text);
    }
}

/// The stored session, if any.
pub(crate) fn kept() -> Option<Kept> {
    let text = storage()?.get_item(KEY).ok()??;
    json::read(json::parse(&text)?)
}

/// Removes the stored session.
pub(crate) fn clear() {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(KEY);
    }
}

fn storage() -> Option<Storage> {
    super::window()?.session_storage().ok()?
}
