//! What deliveries and checks cost, in 1/100000 of a US dollar: prices of the
//! simulator's own, of the size of real ones.

use crate::outcome::Outcome;

/// One thing that was charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// ISO 3166-1 alpha-2; empty where the number cannot be placed.
    pub country: &'static str,
    /// `sms`, `voice` or `whatsapp`; or `validation`, for the check of a code.
    pub channel: String,
    /// In 1/100000 of a US dollar.
    pub charge: u32,
}

/// By country: text, call, `WhatsApp`. The last one is everywhere else.
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

/// What one delivery costs. What Fraud Shield blocks costs nothing (Plivo: geo
/// permissions, fraud shield).
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

/// As Plivo writes it.
pub(crate) fn money(amount: u32) -> String {
    format!("{}.{:05}", amount / 100_000, amount % 100_000)
}
