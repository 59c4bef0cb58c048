//! Whom codes are sent to, and how.

use countersign_shared::Channel;

/// Whom codes are sent to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPolicy {
    /// ISO 3166-1 alpha-2 codes; `None` for every country.
    pub countries: Option<Vec<String>>,
    /// The channels that may be asked for, the usual one first. Never empty.
    pub channels: Vec<Channel>,
    /// Takes numbers that regulators keep for fiction, which no phone has.
    pub fictitious_numbers: bool,
}

impl AccessPolicy {
    /// The channel to use; none where what was asked for is switched off.
    pub fn channel(&self, asked: Option<Channel>, usual: Channel) -> Option<Channel> {
        let channel = asked.unwrap_or(usual);
        self.channels.contains(&channel).then_some(channel)
    }

    /// The channel of a send that names none.
    pub fn default_channel(&self) -> Channel {
        self.channels.first().copied().unwrap_or_default()
    }

    /// Whether codes go to that country.
    pub fn serves(&self, country: &str) -> bool {
        let served = self.countries.as_ref();
        served.is_none_or(|served| served.iter().any(|code| code == country))
    }
}
