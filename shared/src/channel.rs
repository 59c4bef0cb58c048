//! The channel that delivers a code.

use serde::{Deserialize, Serialize};

/// A delivery channel, with Plivo's names.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A text message.
    #[default]
    Sms,
    /// A phone call that reads the code out.
    Voice,
    /// A `WhatsApp` message.
    Whatsapp,
}

impl Channel {
    /// Every channel, in the order they are offered.
    pub const ALL: [Self; 3] = [Self::Sms, Self::Voice, Self::Whatsapp];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Voice => "voice",
            Self::Whatsapp => "whatsapp",
        }
    }

    /// The channel of that name, in exactly that spelling.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == name)
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
