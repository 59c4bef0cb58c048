//! Pending tasks.

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Fetch the configuration.
    Configure,
    /// Send a code for a new session.
    Send,
    /// Resend the code.
    Resend,
    /// Check a code.
    Verify,
    /// Fetch the session.
    Resume,
}

/// A pending task. Its response counts only while this is the latest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The kind of request.
    pub task: Task,
    pub(super) number: u32,
}
