//! The price list (`/v1/Account/{auth_id}/Pricing/`), with invented prices: a rate for each
//! country that the simulator knows, and networks that cost more.

use serde_json::{Value, json};

/// Countries and their lowest price of a message.
const RATES: [(&str, &str, &str); 6] = [
    ("US", "United States", "0.00550"),
    ("GB", "United Kingdom", "0.04200"),
    ("DE", "Germany", "0.07800"),
    ("FR", "France", "0.06500"),
    ("IN", "India", "0.00230"),
    ("ID", "Indonesia", "0.31000"),
];

/// The list of a country by its ISO 3166-1 code.
pub(crate) fn of_country(code: &str) -> Option<Value> {
    let (iso, name, rate) = RATES.iter().find(|(iso, ..)| *iso == code)?;
    // One network costs half as much again; calls cost ten cents.
    let dearer: f64 = rate.parse::<f64>().unwrap_or_default() * 1.5;
    Some(json!({
        "country": name,
        "country_code": "0",
        "country_iso": iso,
        "message": {
            "inbound": {"rate": "0.00000"},
            "outbound": {"rate": rate},
            "outbound_networks_list": [
                {"group_name": "Network One", "rate": rate},
                {"group_name": "Network Two", "rate": format!("{dearer:.5}")},
            ],
        },
        "phone_numbers": {"local": {"rate": "0.50000"}},
        "voice": {
            "inbound": {"ip": {"rate": "0.00300"}},
            "outbound": {
                "ip": {"rate": "0.00300"},
                "rates": [
                    {"prefix": ["1"], "rate": "0.01000"},
                    {"prefix": ["12", "13"], "rate": "0.10000"},
                ],
            },
        },
    }))
}
