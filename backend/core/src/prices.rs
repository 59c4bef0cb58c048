//! Prices of codes by country and channel: the operator's own table.

use std::{collections::HashMap, fmt};

use countersign_shared::Channel;

use crate::{MicroDollars, country::is_country};

/// Wildcard in place of a country: every country without a line of its own.
const EVERYWHERE: &str = "*";
/// The required first line.
const HEADER: &str = "country,channel,price";

/// Prices of one code by country and channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices(HashMap<(String, Channel), MicroDollars>);

/// What is wrong with a table, without the line's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPrices {
    /// The first line is not the header.
    NoHeader,
    /// A line (1-based) that is not country, channel and price.
    Line(usize),
    /// A line (1-based) that repeats the country and channel of an earlier one.
    Twice(usize),
    /// A channel in use has no `*` price.
    Missing(Channel),
}

impl fmt::Display for InvalidPrices {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeader => write!(formatter, "the first line must be {HEADER}"),
            Self::Line(line) => write!(
                formatter,
                "line {line} must be an ISO country code or *, a channel and a price in US dollars, such as US,sms,0.0079"
            ),
            Self::Twice(line) => write!(formatter, "line {line} repeats an earlier one"),
            Self::Missing(channel) => write!(
                formatter,
                "a line *,{channel},… is missing: every channel in ALLOWED_CHANNELS needs one"
            ),
        }
    }
}

impl Prices {
    /// Parses a table in CSV: the header, then one price per line. Empty lines and lines
    /// that begin with `#` are ignored. Each of `channels` needs a price for every
    /// country.
    pub fn parse(text: &str, channels: &[Channel]) -> Result<Self, InvalidPrices> {
        let text = text.trim_start_matches('\u{feff}');
        let mut lines = (1..)
            .zip(text.lines().map(str::trim))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        if lines.next().is_none_or(|(_, line)| line != HEADER) {
            return Err(InvalidPrices::NoHeader);
        }
        let mut prices = HashMap::new();
        for (number, line) in lines {
            let (place, price) = price(line).ok_or(InvalidPrices::Line(number))?;
            if prices.insert(place, price).is_some() {
                return Err(InvalidPrices::Twice(number));
            }
        }
        let missing = channels
            .iter()
            .find(|channel| !prices.contains_key(&(EVERYWHERE.to_owned(), **channel)));
        match missing {
            Some(channel) => Err(InvalidPrices::Missing(*channel)),
            None => Ok(Self(prices)),
        }
    }

    /// The price of one code to that country (ISO 3166-1 alpha-2) on that channel.
    pub fn of(&self, country: &str, channel: Channel) -> MicroDollars {
        let price = |country: &str| self.0.get(&(country.to_owned(), channel)).copied();
        price(country)
            .or_else(|| price(EVERYWHERE))
            .unwrap_or_default()
    }

    /// The highest price on these channels.
    pub fn dearest(&self, channels: &[Channel]) -> MicroDollars {
        let prices = self.0.iter();
        let used = prices.filter(|((_, channel), _)| channels.contains(channel));
        used.map(|(_, price)| *price).max().unwrap_or_default()
    }
}

fn price(line: &str) -> Option<((String, Channel), MicroDollars)> {
    let mut words = line.split(',').map(str::trim);
    let (country, channel, price) = (words.next()?, words.next()?, words.next()?);
    let is_place = country == EVERYWHERE || is_country(country);
    if !is_place || words.next().is_some() {
        return None;
    }
    let place = (country.to_owned(), Channel::parse(channel)?);
    Some((place, MicroDollars::parse(price).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Channel; 2] = [Channel::Sms, Channel::Voice];

    #[test]
    fn a_countrys_own_price_takes_precedence() {
        let text = "# ours\n\ncountry,channel,price\nUS,sms,0.0079\n*, sms ,0.2\n*,voice,0.5\n";
        let prices = Prices::parse(text, &BOTH).unwrap();
        assert_eq!(prices.of("US", Channel::Sms), MicroDollars(7_900));
        assert_eq!(prices.of("GB", Channel::Sms), MicroDollars(200_000));
        assert_eq!(prices.of("US", Channel::Voice), MicroDollars(500_000));
        assert_eq!(prices.dearest(&BOTH), MicroDollars(500_000));
        assert_eq!(prices.dearest(&[Channel::Sms]), MicroDollars(200_000));
    }

    #[test]
    fn a_mistake_is_named_by_its_line() {
        for (text, problem) in [
            ("", InvalidPrices::NoHeader),
            ("US,sms,1", InvalidPrices::NoHeader),
            ("country,channel,price\nUK,sms,1", InvalidPrices::Line(2)),
            ("country,channel,price\n\nUS,fax,1", InvalidPrices::Line(3)),
            ("country,channel,price\nUS,sms,-1", InvalidPrices::Line(2)),
            ("country,channel,price\nUS,sms,1,2", InvalidPrices::Line(2)),
            ("country,channel,price\nUS,sms", InvalidPrices::Line(2)),
            (
                "country,channel,price\n*,sms,1\n*,sms,2",
                InvalidPrices::Twice(3),
            ),
            (
                "country,channel,price\n*,sms,1",
                InvalidPrices::Missing(Channel::Voice),
            ),
        ] {
            assert_eq!(Prices::parse(text, &BOTH), Err(problem), "{text}");
        }
    }

    /// The sample that is shipped can be used as it is.
    #[test]
    fn the_sample_is_a_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/prices.sample.csv");
        let text = std::fs::read_to_string(path).unwrap();
        Prices::parse(&text, &[Channel::Sms, Channel::Voice, Channel::Whatsapp]).unwrap();
    }
}
