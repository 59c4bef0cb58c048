//! Access policy: allowed countries and channels.

use countersign_shared::Channel;

/// Access policy: allowed countries and channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPolicy {
    /// ISO 3166-1 alpha-2 codes; `None` allows every country.
    pub countries: Option<Vec<String>>,
    /// The channels that may be requested, the default first. Never empty.
    pub channels: Vec<Channel>,
    /// Whether to accept numbers that regulators reserve for fiction, which no phone has.
    pub fictitious_numbers: bool,
}

impl AccessPolicy {
    /// The channel to use, `asked` or else `usual`; `None` if it is not allowed.
    pub fn channel(&self, asked: Option<Channel>, usual: Channel) -> Option<Channel> {
        let channel = asked.unwrap_or(usual);
        self.channels.contains(&channel).then_some(channel)
    }

    /// The channel of a send that does not name one.
    pub fn default_channel(&self) -> Channel {
        self.channels.first().copied().unwrap_or_default()
    }

    /// Whether codes may be sent to that country.
    pub fn serves(&self, country: &str) -> bool {
        let served = self.countries.as_ref();
        served.is_none_or(|served| served.iter().any(|code| code == country))
    }
}
