//! The request id, which all log lines of a request share.

use std::fmt;

/// 16 random hexadecimal digits.
#[derive(Clone, Copy)]
pub struct RequestId([u8; 8]);

impl RequestId {
    /// A random id.
    pub fn random() -> Self {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        Self(bytes)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}
