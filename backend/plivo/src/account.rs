//! The Plivo account.

use secrecy::SecretString;

use crate::AcceptedMessages;

/// An account at Plivo.
#[derive(Clone, Debug)]
pub struct Account {
    /// Base URL of the API, without a trailing slash.
    pub base_url: String,
    /// The name in HTTP Basic authentication and in every path.
    pub auth_id: String,
    /// The password.
    pub auth_token: SecretString,
    /// The Verify application; the account's default one when absent.
    pub app_uuid: Option<String>,
    /// The hash by which an Android app recognises its own messages.
    pub app_hash: Option<String>,
    /// Plivo's sentences that accept a code.
    pub accepted_messages: AcceptedMessages,
}
