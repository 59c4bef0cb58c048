//! The steps of a verification, each a transition over rows.

mod adopt_send;
mod append_decisions;
mod charge_queue;
mod close_send;
mod consume_once;
mod counters;
mod find_answer;
mod free_number;
mod hold_simulator;
mod keep_answer;
mod limit_used;
mod mark_run;
mod page;
mod poll_turn;
mod record_attempts;
mod record_callback;
mod record_charges;
mod record_resent;
mod record_sent;
mod release_check;
mod release_send;
mod reservation;
mod reserve_check;
mod reserve_resend;
mod reserve_send;
mod send_limits;
mod send_wait;
mod set_stop;
mod settle_check;
#[cfg(test)]
mod tests;
mod view_number;
mod view_session;
mod withdraw;

pub(crate) use self::page::PageRow;
pub use self::{
    append_decisions::{AppendDecisions, ViewDecisions},
    charge_queue::{LeaseQueues, QueueCharge, ViewQueue},
    close_send::CloseSend,
    consume_once::{ConsumeOnce, IsConsumed},
    find_answer::FindAnswer,
    free_number::FreeNumber,
    hold_simulator::{HoldSimulator, ReleaseSimulator, SIMULATOR_LEASE},
    keep_answer::KeepAnswer,
    limit_used::LimitUsed,
    mark_run::{BeginRun, EndRun},
    page::{BeginPage, ViewPage},
    poll_turn::{Poll, PollTurn},
    record_attempts::{RecordAttempts, RecordedAttempts},
    record_callback::{CallbackOutcome, CallbackRecipient, RecordCallback},
    record_charges::RecordCharges,
    record_resent::RecordResent,
    record_sent::{RecordSent, Recorded},
    release_check::ReleaseCheck,
    release_send::ReleaseSend,
    reservation::{CheckReservation, Reserved, SendReservation},
    reserve_check::ReserveCheck,
    reserve_resend::ReserveResend,
    reserve_send::ReserveSend,
    send_limits::SendLimits,
    send_wait::SendWait,
    set_stop::SetStop,
    settle_check::{SettleCheck, Settlement},
    view_number::{NumberLimit, NumberSend, NumberView, ViewNumber},
    view_session::ViewSession,
};
