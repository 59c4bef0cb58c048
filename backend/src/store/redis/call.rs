//! One call of a script: the keys it may touch, what it is given, and what it
//! answers.

use std::num::NonZeroU32;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign_shared::{Channel, PhoneNumber, SessionId};
use serde::{Deserialize, Serialize};

use crate::{
    config::ConversionRule,
    store::{
        Claim, Hold, KeyedRequest, Ladder, Limit, Place, SessionOver, Share, Vault,
        millis::{Millis, length},
        vault::Hash,
    },
};

/// In front of every key. The braces put all of them into one hash slot of a
/// cluster: a send counts for a number, an address, a country and in all, and
/// that is one decision.
pub(super) const PREFIX: &str = "{countersign}";

/// What a script is called with.
pub(super) struct Call<'a> {
    vault: &'a Vault,
    keys: Vec<String>,
    /// A JSON object that is still open.
    given: Vec<u8>,
}

/// A claim, as scripts read it.
#[derive(Serialize)]
struct Asked {
    key: usize,
    quotas: Vec<(u64, u64)>,
    amount: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_spend: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    different: Option<String>,
    /// Of one that is given back: when it was counted before, or 0.
    previous: Millis,
}

/// The rule for places, as scripts read it.
#[derive(Serialize)]
struct Rule {
    floor: u8,
    least: NonZeroU32,
    enforced: bool,
    grace: Millis,
    cooling: Millis,
}

impl<'a> Call<'a> {
    pub(super) fn new(vault: &'a Vault) -> Self {
        Self {
            vault,
            keys: Vec::new(),
            given: b"{".to_vec(),
        }
    }

    /// Gives the script a value by name, each name once.
    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        if self.given.len() > 1 {
            self.given.push(b',');
        }
        let written = serde_json::to_writer(&mut self.given, name).and_then(|()| {
            self.given.push(b':');
            serde_json::to_writer(&mut self.given, &value)
        });
        written.expect("plain values are JSON");
        self
    }

    /// Names a key; answers its place, from 1 as Lua counts.
    fn key(&mut self, kind: &str, name: &Hash) -> usize {
        self.keys.push(key(kind, name));
        self.keys.len()
    }

    fn with_key(mut self, name: &str, kind: &str, hash: &Hash) -> Self {
        let place = self.key(kind, hash);
        self.with(name, place)
    }

    pub(super) fn session(self, id: SessionId) -> Self {
        let name = self.vault.session_name(id);
        self.with_key("session", "session", &name)
            .with_key("ended", "ended", &name)
    }

    pub(super) fn ladder(self, number: &PhoneNumber) -> Self {
        let name = self.vault.number_name(number.as_str());
        self.with_key("ladder", "ladder", &name)
    }

    /// Where wrong codes for the number are counted.
    pub(super) fn wrong_checks(self, number: &PhoneNumber) -> Self {
        let name = self
            .vault
            .limit_name(Limit::WrongChecksPerNumber, number.as_str());
        self.with("wrong_checks", key("uses", &name))
    }

    pub(super) fn answer(self, request: &KeyedRequest) -> Self {
        let name = self.vault.request_name(request);
        let body = text(&self.vault.body_name(request));
        self.with_key("answer", "answer", &name).with("body", body)
    }

    pub(super) fn spent(self, name: &str) -> Self {
        let name = self.vault.spent_name(name);
        self.with_key("spent", "spent", &name)
    }

    pub(super) fn upstream(self, upstream_id: &str) -> Self {
        let name = self.vault.upstream_name(upstream_id);
        self.with_key("upstream", "upstream", &name)
    }

    /// Which key of the operator's the names are made with.
    pub(super) fn key_check(mut self) -> Self {
        self.keys.push(format!("{PREFIX}:key"));
        // As it was always written: a server that is in use holds it.
        let check = format!("{:032x}", u128::from_be_bytes(self.vault.key_check()));
        let place = self.keys.len();
        self.with("key_check", place).with("check", check)
    }

    pub(super) fn charges(self, upstream_id: &str) -> Self {
        let name = self.vault.charges_name(upstream_id);
        self.with_key("charges", "charges", &name)
    }

    /// The country and the range that codes go to, where they are counted.
    pub(super) fn place(mut self, place: &Place, rule: Option<&ConversionRule>) -> Self {
        let Some(rule) = rule else { return self };
        let places = place.parts().map(|part| {
            let name = self.vault.place_name(part);
            self.key("conversion", &name)
        });
        let rule = Rule {
            floor: rule.floor,
            least: rule.least,
            enforced: rule.enforced,
            grace: length(rule.grace),
            cooling: length(rule.cooling),
        };
        self.with("places", places).with("rule", rule)
    }

    pub(super) fn claims(self, claims: &[Claim]) -> Self {
        self.asked(claims.iter().map(|claim| (claim, None)))
    }

    fn asked<'c>(mut self, claims: impl Iterator<Item = (&'c Claim, Option<Millis>)>) -> Self {
        let asked: Vec<Asked> = claims
            .map(|(claim, previous)| {
                let name = self.vault.claim_name(claim);
                let different = self.vault.different_name(claim);
                let quotas = claim.quotas.iter();
                Asked {
                    key: self.key("uses", &name),
                    quotas: quotas
                        .map(|quota| (quota.count.get(), length(quota.per)))
                        .collect(),
                    amount: claim.amount,
                    is_spend: claim.limit == Limit::Spend,
                    // As text: Lua's numbers do not hold 64 bits.
                    different: different.map(|name| format!("{name:016x}")),
                    previous: previous.unwrap_or_default(),
                }
            })
            .collect();
        self.with("claims", asked)
    }

    /// What is to be given back, as far as `which` says.
    pub(super) fn back(self, hold: &Hold, which: impl Fn(&Claim) -> bool) -> Self {
        let taken = hold.claims.iter().zip(hold.previous.iter().copied());
        let call = self
            .asked(taken.filter(|(claim, _)| which(claim)))
            .with("taken_at", hold.taken_at);
        match &hold.ladder {
            Some(before) => call.with("before", before),
            None => call,
        }
    }

    /// The keys, and what is given in JSON.
    pub(super) fn into_parts(mut self) -> (Vec<String>, Vec<u8>) {
        self.given.push(b'}');
        (self.keys, self.given)
    }
}

/// What scripts answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It has happened.
    Done,
    /// It has happened, in a server that keeps nothing across its own end.
    Volatile,
    /// It is held until it is settled or given back.
    Held(Held),
    /// The same, of a session as it is kept.
    HeldOf(Held, Kept),
    /// Not now; for the claim or the place there, or for the ladder.
    Wait(Waiting),
    /// So much of each quota, as text.
    Used(Vec<String>),
    /// What was charged that was not known before.
    Charged {
        #[serde(default)]
        charged: Vec<Charge>,
    },
    /// The session takes no such step.
    Over(SessionOver),
    /// The session as it is kept.
    Session(Kept),
    /// It is that late.
    Time(Millis),
    /// It begins, at that moment.
    Recorded(Millis),
    /// The check settled the session.
    Verified,
    /// It did not.
    Incorrect { checks_left: u8 },
    /// It was spent before.
    Spent,
    /// What is known of attempts, whether it is this one's turn to ask, and the
    /// channels by which one has arrived now, with spaces between.
    Watched {
        attempts: String,
        is_turn: bool,
        arrived: String,
    },
    /// A keyed request is under way.
    UnderWay,
    /// A keyed request was never answered.
    Lost,
    /// A key was used for another request.
    Mismatched,
    /// That happened too often.
    Blocked,
    /// A keyed request was answered so.
    Answered(String),
    /// The server would drop counts when its memory is full.
    MayEvict,
    /// What the server holds was made with another key.
    OtherKey,
}

#[derive(Debug, Deserialize)]
pub(super) struct Held {
    pub(super) taken_at: Millis,
    pub(super) ladder: Option<Ladder>,
    pub(super) next_at: Millis,
    /// For each claim when its thing was counted before, or 0.
    #[serde(default)]
    pub(super) previous: Vec<Millis>,
    #[serde(default)]
    pub(super) slumps: Vec<Slumped>,
    /// As text, to the last digit.
    #[serde(default)]
    pub(super) spent: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Waiting {
    pub(super) milliseconds: Millis,
    /// From 0.
    pub(super) claim: Option<usize>,
    /// From 1, as its key was named.
    pub(super) place: Option<usize>,
    #[serde(default)]
    pub(super) slumps: Vec<Slumped>,
}

/// A place where too few codes are given back.
#[derive(Debug, Deserialize)]
pub(super) struct Slumped {
    /// From 1, as its key was named.
    pub(super) place: usize,
    pub(super) found: Option<Share>,
}

/// What was charged that was not known before; the amount as text.
#[derive(Debug, Deserialize)]
pub(super) struct Charge {
    pub(super) channel: Option<Channel>,
    pub(super) amount: String,
}

/// A session's fields. Numbers come as Redis keeps them, as text.
#[derive(Debug, Deserialize)]
pub(super) struct Kept {
    pub(super) now: Millis,
    pub(super) person: String,
    pub(super) upstream_id: String,
    pub(super) status: String,
    pub(super) channel: Channel,
    pub(super) deliveries: String,
    pub(super) checks_left: String,
    pub(super) expires_at: String,
}

fn key(kind: &str, name: &Hash) -> String {
    format!("{PREFIX}:{kind}:{}", text(name))
}

fn text(hash: &Hash) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(hash)
}
