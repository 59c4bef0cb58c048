//! What is under way.

/// What the server is being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// How the service is set up.
    Configure,
    /// A new session and its code.
    Send,
    /// The code once more.
    Resend,
    /// Whether the code is right.
    Verify,
    /// How the session stands.
    Resume,
}

/// A task under way. Its answer counts only while this is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What was asked.
    pub task: Task,
    pub(super) number: u32,
}
