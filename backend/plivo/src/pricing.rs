//! Plivo's price list (reference: Pricing API). Whether Verify bills exactly these prices
//! is not documented: they are estimates, replaced by real charges.

use countersign_core::MicroDollars;
use serde::Deserialize;
use serde_json::Value;

use crate::PlivoError;

/// Prices of one code in a country, on its most expensive network, because a number's
/// network is not known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountryPrices {
    /// Price of a message.
    pub sms: MicroDollars,
    /// Price of a call of one minute; a code takes less.
    pub voice: MicroDollars,
}

#[derive(Deserialize)]
struct Pricing {
    message: Option<Message>,
    voice: Option<Voice>,
}

#[derive(Deserialize)]
struct Message {
    outbound: Option<Rated>,
    #[serde(default)]
    outbound_networks_list: Vec<Rated>,
}

#[derive(Deserialize)]
struct Voice {
    outbound: Option<Calls>,
}

#[derive(Deserialize)]
struct Calls {
    #[serde(default)]
    rates: Vec<Rated>,
}

#[derive(Deserialize)]
struct Rated {
    rate: Option<Value>,
}

impl Rated {
    fn price(&self) -> Option<MicroDollars> {
        let text = match self.rate.as_ref()? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        MicroDollars::parse(&text).ok()
    }
}

/// Parses the price list of a country.
pub(crate) fn read(body: &[u8]) -> Result<CountryPrices, PlivoError> {
    let pricing: Pricing = serde_json::from_slice(body).map_err(|_| PlivoError::InvalidResponse)?;
    let message = pricing.message.ok_or(PlivoError::InvalidResponse)?;
    let networks = message.outbound_networks_list.iter();
    let sms = networks.chain(&message.outbound).filter_map(Rated::price);
    let calls = pricing.voice.and_then(|voice| voice.outbound);
    let calls = calls.map(|calls| calls.rates).unwrap_or_default();
    Ok(CountryPrices {
        sms: sms.max().ok_or(PlivoError::InvalidResponse)?,
        voice: calls
            .iter()
            .filter_map(Rated::price)
            .max()
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_dearest_network_counts() {
        let list = json!({
            "message": {
                "outbound": {"rate": "0.00550"},
                "outbound_networks_list": [{"group_name": "A", "rate": 0.0072}, {"group_name": "B"}],
            },
            "voice": {"outbound": {"rates": [{"prefix": ["1"], "rate": "0.01"}, {"rate": "0.2"}]}},
        });
        let prices = read(list.to_string().as_bytes()).unwrap();
        assert_eq!(prices.sms, MicroDollars(7_200));
        assert_eq!(prices.voice, MicroDollars(200_000));
    }

    #[test]
    fn a_list_without_a_price_of_messages_is_none() {
        for list in [
            json!({}),
            json!({"message": {}}),
            json!([]),
            json!({"message": {"outbound": {"rate": "free"}}}),
        ] {
            assert!(read(list.to_string().as_bytes()).is_err(), "{list}");
        }
    }
}
