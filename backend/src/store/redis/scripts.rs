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
    pub(super) forget_resend_wait: Script,
    pub(super) send_wait: Script,
    pub(super) used: Script,
    pub(super) note_charges: Script,
    pub(super) spend: Script,
    pub(super) upstream: Script,
    pub(super) begin: Script,
    pub(super) finish: Script,
    pub(super) time: Script,
}

/// Each brings what it needs and no more: all of it is run with every step.
macro_rules! script {
    ($($file:literal),+) => {
        Script::new(concat!(include_str!("prelude.lua"), $(include_str!($file)),+))
    };
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            look: script!("look.lua"),
            reserve_send: script!("conversion.lua", "limits.lua", "reserve_send.lua"),
            record_sent: script!("conversion.lua", "session.lua", "record_sent.lua"),
            release_send: script!("conversion.lua", "limits.lua", "release_send.lua"),
            reserve_resend: script!(
                "conversion.lua",
                "limits.lua",
                "session.lua",
                "reserve_resend.lua"
            ),
            record_resent: script!("conversion.lua", "session.lua", "record_resent.lua"),
            reserve_check: script!(
                "conversion.lua",
                "limits.lua",
                "session.lua",
                "reserve_check.lua"
            ),
            settle_check: script!(
                "conversion.lua",
                "limits.lua",
                "session.lua",
                "settle_check.lua"
            ),
            release_check: script!(
                "conversion.lua",
                "limits.lua",
                "session.lua",
                "release_check.lua"
            ),
            read_session: script!("session.lua", "read_session.lua"),
            forget_resend_wait: script!("forget_resend_wait.lua"),
            send_wait: script!("conversion.lua", "limits.lua", "send_wait.lua"),
            used: script!("conversion.lua", "limits.lua", "used.lua"),
            note_charges: script!(
                "conversion.lua",
                "limits.lua",
                "session.lua",
                "note_charges.lua"
            ),
            spend: script!("spend.lua"),
            upstream: script!("upstream.lua"),
            begin: script!("begin.lua"),
            finish: script!("finish.lua"),
            time: script!("time.lua"),
        }
    }
}
