//! Stops: the operator's own, for a country, a channel or everything. Sends are refused
//! while one holds; checks go on.

use std::{fmt, time::Duration};

use countersign_shared::Channel;
use serde::{Deserialize, Serialize};

use crate::{Row, country::is_country};

/// What a refused caller is told to wait: when it ends nobody knows.
pub(crate) const STOPPED_RETRY: Duration = Duration::from_mins(30);
/// As long as a stop may hold.
pub(crate) const STOPS_TTL: Duration = Duration::from_hours(10 * 365 * 24);

/// What is stopped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Every send.
    All,
    /// Sends to a country, by its ISO 3166-1 code.
    Country(String),
    /// Sends by a channel, by its name.
    Channel(String),
}

impl Stop {
    /// Reads `all`, `country US` or `channel voice`.
    pub fn parse(words: &[&str]) -> Option<Self> {
        match words {
            ["all"] => Some(Self::All),
            ["country", code] => {
                let code = code.to_ascii_uppercase();
                is_country(&code).then_some(Self::Country(code))
            }
            ["channel", name] => {
                let channel = Channel::parse(name)?;
                Some(Self::Channel(channel.as_str().to_owned()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("all"),
            Self::Country(code) => write!(formatter, "country {code}"),
            Self::Channel(name) => write!(formatter, "channel {name}"),
        }
    }
}

/// Where a send goes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The way there.
    pub channel: Channel,
}

/// The row of all stops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StopsRow {
    /// In order, each once.
    pub(crate) stops: Vec<Stop>,
}

impl Row for StopsRow {
    const KIND: &'static str = "stops";
}

impl StopsRow {
    /// Whether such a send is stopped.
    pub(crate) fn hold(&self, route: &Route) -> bool {
        self.stops.iter().any(|stop| match stop {
            Stop::All => true,
            Stop::Country(code) => *code == route.country,
            Stop::Channel(name) => name == route.channel.as_str(),
        })
    }

    /// Begins a stop, or ends it.
    pub(crate) fn set(&mut self, stop: &Stop, is_stopped: bool) {
        self.stops.retain(|it| it != stop);
        if is_stopped {
            self.stops.push(stop.clone());
            self.stops.sort();
        }
    }
}
