//! Stops: the operator stops sends to a country, on a channel or altogether. Sends are
//! refused while a stop is in force; checks go on.

use std::{fmt, time::Duration};

use countersign_shared::Channel;
use serde::{Deserialize, Serialize};

use crate::{Row, country::is_country};

/// The wait reported to a refused caller: nobody knows when the stop will be lifted.
pub(crate) const STOPPED_RETRY: Duration = Duration::from_mins(30);
/// How long a stop stays in force at most.
pub(crate) const STOPS_TTL: Duration = Duration::from_hours(10 * 365 * 24);

/// The scope of a stop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Every send.
    All,
    /// Sends to a country, by its ISO 3166-1 code.
    Country(String),
    /// Sends on a channel, by its name.
    Channel(String),
}

impl Stop {
    /// Parses `all`, `country US` or `channel voice`.
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

/// The country and channel of a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The country, ISO 3166-1 alpha-2.
    pub country: String,
    /// The channel.
    pub channel: Channel,
}

/// The row of all stops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StopsRow {
    /// Sorted, without duplicates.
    pub(crate) stops: Vec<Stop>,
}

impl Row for StopsRow {
    const KIND: &'static str = "stops";
}

impl StopsRow {
    /// Whether a send on this route is stopped.
    pub(crate) fn hold(&self, route: &Route) -> bool {
        self.stops.iter().any(|stop| match stop {
            Stop::All => true,
            Stop::Country(code) => *code == route.country,
            Stop::Channel(name) => name == route.channel.as_str(),
        })
    }

    /// Sets or lifts a stop.
    pub(crate) fn set(&mut self, stop: &Stop, is_stopped: bool) {
        self.stops.retain(|it| it != stop);
        if is_stopped {
            self.stops.push(stop.clone());
            self.stops.sort();
        }
    }
}
