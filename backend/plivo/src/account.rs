//! Whose Plivo account is used.

use secrecy::SecretString;

use crate::AcceptedMessages;

/// An account at Plivo.
#[derive(Clone, Debug)]
pub struct Account {
    /// Where the API is, without a slash at the end.
    pub base_url: String,
    /// The name in HTTP Basic authentication and in every path.
    pub auth_id: String,
    /// The password.
    pub auth_token: SecretString,
    /// The Verify application; the account's default one when absent.
    pub app_uuid: Option<String>,
    /// What an Android application knows its own messages by.
    pub app_hash: Option<String>,
    /// Plivo's answers that accept a code.
    pub accepted_messages: AcceptedMessages,
}
