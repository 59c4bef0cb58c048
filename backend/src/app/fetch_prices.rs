//! `--fetch-prices US,GB`: writes the price file from Plivo's price list, the dearest
//! network of each country.

use std::{fmt::Write, time::Duration};

use countersign_core::{MicroDollars, country::is_country};
use countersign_platform::private_file;
use countersign_plivo::{CountryPrices, PlivoClient, PlivoError};
use countersign_shared::Channel;

use crate::config::{PriceSettings, Upstream};

/// Timeout per country.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why no file was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchPricesError {
    #[error("--fetch-prices: list ISO country codes, such as US,GB")]
    Countries,
    #[error("PLIVO_MODE: only live mode has prices")]
    Sandbox,
    #[error("--fetch-prices: Plivo's price list has no WhatsApp: write its lines by hand")]
    Whatsapp,
    #[error(transparent)]
    Client(#[from] reqwest::Error),
    #[error("Plivo, about {country}: {source}")]
    Plivo { country: String, source: PlivoError },
    #[error("PRICES_FILE: cannot write {path}: {source}")]
    File {
        path: String,
        source: std::io::Error,
    },
}

/// Fetches the prices and writes the file; returns the message to print.
pub(super) async fn run(
    settings: PriceSettings,
    countries: &str,
) -> Result<String, FetchPricesError> {
    let mut codes: Vec<String> = countries
        .split(',')
        .map(|code| code.trim().to_ascii_uppercase())
        .collect();
    codes.sort();
    codes.dedup();
    if !codes.iter().all(|code| is_country(code)) {
        return Err(FetchPricesError::Countries);
    }
    let Upstream::Live(account) = settings.upstream else {
        return Err(FetchPricesError::Sandbox);
    };
    if settings.channels.contains(&Channel::Whatsapp) {
        return Err(FetchPricesError::Whatsapp);
    }
    let client = PlivoClient::new(account)?;
    let mut prices = Vec::new();
    for country in codes {
        match client.prices(&country, TIMEOUT).await {
            Ok(found) => prices.push((country, found)),
            Err(source) => return Err(FetchPricesError::Plivo { country, source }),
        }
    }
    let path = settings.prices_file;
    private_file::replace(&path, &table(&prices, &settings.channels)).map_err(|source| {
        let path = path.display().to_string();
        FetchPricesError::File { path, source }
    })?;
    Ok(format!(
        "{} countries are in {}; name it in PRICES_FILE and restart",
        prices.len(),
        path.display()
    ))
}

fn price_of(prices: &CountryPrices, channel: Channel) -> MicroDollars {
    match channel {
        Channel::Voice => prices.voice,
        Channel::Sms | Channel::Whatsapp => prices.sms,
    }
}

fn table(prices: &[(String, CountryPrices)], channels: &[Channel]) -> String {
    let mut text = String::from(
        "# From Plivo's price list: the dearest network of each country, a call of a minute.\n\
         # * is the dearest of them: it holds for countries that have no line.\n\
         country,channel,price\n",
    );
    let mut line = |country: &str, channel: Channel, price: MicroDollars| {
        writeln!(text, "{country},{},{price}", channel.as_str()).expect("a String takes all text");
    };
    for channel in channels {
        for (country, found) in prices {
            line(country, *channel, price_of(found, *channel));
        }
        let all = prices.iter().map(|(_, found)| price_of(found, *channel));
        line("*", *channel, all.max().unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use countersign_core::Prices;

    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let of = |sms, voice| CountryPrices {
            sms: MicroDollars(sms),
            voice: MicroDollars(voice),
        };
        let prices = [
            ("GB".to_owned(), of(42_000, 100_000)),
            ("US".to_owned(), of(8_250, 90_000)),
        ];
        let channels = [Channel::Sms, Channel::Voice];
        let read = Prices::parse(&table(&prices, &channels), &channels).unwrap();
        assert_eq!(read.of("US", Channel::Sms), MicroDollars(8_250));
        assert_eq!(read.of("GB", Channel::Voice), MicroDollars(100_000));
        assert_eq!(read.of("FR", Channel::Sms), MicroDollars(42_000));
    }
}
