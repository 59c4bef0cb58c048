//! Prices of deliveries and checks, in 1/100000 of a US dollar: invented, but of a
//! realistic size.

use crate::outcome::Outcome;

/// One charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// ISO 3166-1 alpha-2; empty if the number's country is unknown.
    pub country: &'static str,
    /// `sms`, `voice` or `whatsapp`; or `validation`, for the check of a code.
    pub channel: String,
    /// In 1/100000 of a US dollar.
    pub charge: u32,
}

/// By country: text, call, `WhatsApp`. The last one is for all other countries.
const PRICES: [(&str, [u32; 3]); 9] = [
    ("US", [700, 1200, 900]),
    ("FR", [7610, 3100, 6180]),
    ("ES", [6420, 2350, 4750]),
    ("IT", [7240, 2900, 5680]),
    ("GB", [4130, 1480, 3970]),
    ("DE", [9275, 2205, 8490]),
    ("BR", [3985, 3300, 3150]),
    ("IN", [5210, 4400, 1280]),
    ("", [12_500, 15_000, 7_000]),
];

/// The price of one delivery. What Fraud Shield blocks is free (Plivo: geo permissions,
/// fraud shield).
pub(crate) fn charge(recipient: &str, country: &str, channel: &str) -> u32 {
    if Outcome::of(recipient) == Outcome::FraudBlocked {
        return 0;
    }
    let own = PRICES.iter().find(|(code, _)| *code == country);
    let (_, [sms, voice, whatsapp]) = own.unwrap_or(&PRICES[PRICES.len() - 1]);
    match channel {
        "voice" => *voice,
        "whatsapp" => *whatsapp,
        _ => *sms,
    }
}

/// Formats an amount as Plivo does.
pub(crate) fn money(amount: u32) -> String {
    format!("{}.{:05}", amount / 100_000, amount % 100_000)
}
