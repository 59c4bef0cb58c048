//! The scripts, each behind what they share.

use redis::Script;

/// Every step's script.
pub(super) struct Scripts {
    pub(super) look: Script,
    pub(super) reserve_send: Script,
    pub(super) record_sent: Script,
    pub(super) release_send: Script,
    pub(super) reserve_resend: Script,
    pub(super) record_resent: Script,
    pub(super) reserve_check: Script,
    pub(super) settle_check: Script,
    pub(super) release_check: Script,
    pub(super) read_session: Script,
    pub(super) send_wait: Script,
    pub(super) used: Script,
    pub(super) note_charges: Script,
    pub(super) spend: Script,
    pub(super) upstream: Script,
    pub(super) begin: Script,
    pub(super) finish: Script,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(
            include_str!("prelude.lua"),
            include_str!("conversion.lua"),
            include_str!("limits.lua"),
            include_str!("session.lua"),
            include_str!($file),
        ))
    };
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            look: script!("look.lua"),
            reserve_send: script!("reserve_send.lua"),
            record_sent: script!("record_sent.lua"),
            release_send: script!("release_send.lua"),
            reserve_resend: script!("reserve_resend.lua"),
            record_resent: script!("record_resent.lua"),
            reserve_check: script!("reserve_check.lua"),
            settle_check: script!("settle_check.lua"),
            release_check: script!("release_check.lua"),
            read_session: script!("read_session.lua"),
            send_wait: script!("send_wait.lua"),
            used: script!("used.lua"),
            note_charges: script!("note_charges.lua"),
            spend: script!("spend.lua"),
            upstream: script!("upstream.lua"),
            begin: script!("begin.lua"),
            finish: script!("finish.lua"),
        }
    }
}
