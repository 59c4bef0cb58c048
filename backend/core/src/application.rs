//! Applications of the brand owner: who calls, and what each of them may do.

use std::{fmt, sync::Arc};

use countersign_shared::{Channel, Purpose};
use serde::{Deserialize, Serialize};

use crate::{
    AccessPolicy, Key, Limit, LimitCheck, Prices, Quota, Use,
    api_key::{ApiKey, KeyHash},
    rate_limit,
};

/// The longest id.
const MAX_ID: usize = 32;

/// An application's name in requests, keys and rows: small letters, digits and hyphens,
/// a letter first, 32 at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApplicationId(Arc<str>);

impl ApplicationId {
    /// Reads one; none where it is not of that form.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_id = text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.len() <= MAX_ID
            && text.bytes().all(is_plain);
        is_id.then(|| Self(text.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ApplicationId> for String {
    fn from(id: ApplicationId) -> Self {
        id.as_str().to_owned()
    }
}

impl TryFrom<String> for ApplicationId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no id of an application")
    }
}

impl fmt::Display for ApplicationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One application, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its name in requests, keys and rows.
    pub id: ApplicationId,
    /// The name that people see on the page and in the message.
    pub name: String,
    /// `aud` of its proofs.
    pub audience: String,
    /// The hashes of its keys, two at most.
    pub key_hashes: Vec<KeyHash>,
    /// Origins whose pages may call for it.
    pub origins: Vec<String>,
    /// Where the page may send people back to.
    pub return_urls: Vec<String>,
    /// Origins whose pages may have the page in a frame.
    pub embed_origins: Vec<String>,
    /// Whether calls without a key are taken.
    pub takes_strangers: bool,
    /// Whom codes are sent to, and how.
    pub policy: AccessPolicy,
    /// Its application at Plivo; the account's where it has none.
    pub plivo_app: Option<String>,
    /// Its applications at Plivo for what has one of its own.
    pub plivo_apps: Vec<(Purpose, String)>,
    /// Whether its server knows the addresses of those it calls for.
    pub has_end_user_addresses: bool,
    /// Its own limit on codes, beside the service's.
    pub sends: Vec<Quota>,
    /// What its codes may cost, beside the service's caps.
    pub spend_caps: Vec<Quota>,
    /// A file of styles for its page.
    pub theme: Option<std::path::PathBuf>,
    /// A file with the logo of its page.
    pub logo: Option<std::path::PathBuf>,
}

impl Application {
    /// One of which nothing is said but its id, under the policy of the whole service: it
    /// takes calls with a key only, and has none.
    pub fn new(id: ApplicationId, policy: AccessPolicy) -> Self {
        Self {
            name: id.to_string(),
            audience: id.to_string(),
            id,
            policy,
            key_hashes: Vec::new(),
            origins: Vec::new(),
            return_urls: Vec::new(),
            embed_origins: Vec::new(),
            takes_strangers: false,
            plivo_app: None,
            plivo_apps: Vec::new(),
            has_end_user_addresses: true,
            sends: Vec::new(),
            spend_caps: Vec::new(),
            theme: None,
            logo: None,
        }
    }

    /// The application at Plivo that sends codes for that purpose.
    pub fn plivo_app(&self, purpose: Option<Purpose>) -> Option<&str> {
        let own = self.plivo_apps.iter().find(|(it, _)| Some(*it) == purpose);
        own.map(|(_, app)| app)
            .or(self.plivo_app.as_ref())
            .map(String::as_str)
    }

    /// What one more of its codes is held against, counted in these rows, beside what
    /// holds for all.
    pub fn of_send(
        &self,
        rows: &ApplicationKeys,
        prices: Option<&Prices>,
        (country, channel): (&str, Channel),
    ) -> Vec<LimitCheck> {
        let mut checks = vec![rate_limit::once(
            Limit::SendsPerApplication,
            &rows.sends,
            &self.sends,
        )];
        let price = prices.and_then(|prices| prices.of(country, channel).non_zero());
        if let Some(price) = price {
            checks.push(self.caps(rows, price.get()));
        }
        checks.retain(|check| !check.quotas.is_empty());
        checks
    }

    /// Its caps, to use or correct an amount of them.
    pub fn caps(&self, rows: &ApplicationKeys, amount: u64) -> LimitCheck {
        LimitCheck {
            limit: Limit::ApplicationBudget,
            row: rows.budget.clone(),
            quotas: self.spend_caps.clone(),
            used: Use::Amount(amount),
        }
    }
}

/// The rows that an application is counted in.
#[derive(Clone, Debug)]
pub struct ApplicationKeys {
    /// Of [`Limit::SendsPerApplication`].
    pub sends: Key,
    /// Of [`Limit::ApplicationBudget`].
    pub budget: Key,
}

/// All applications, in the operator's order. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applications(Vec<Arc<Application>>);

/// What is wrong with a list of applications.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApplications {
    /// There is none.
    #[error("there is no application in it")]
    Empty,
    /// Two have one id.
    #[error("two applications have the id {0}")]
    SameId(ApplicationId),
    /// Two have one key.
    #[error("two key hashes are the same; the second is of {0}")]
    SameKey(ApplicationId),
}

impl Applications {
    /// These, if each has an id and keys of its own.
    pub fn new(all: Vec<Application>) -> Result<Self, InvalidApplications> {
        if all.is_empty() {
            return Err(InvalidApplications::Empty);
        }
        let mut hashes = Vec::new();
        for (index, application) in all.iter().enumerate() {
            if all[..index].iter().any(|it| it.id == application.id) {
                return Err(InvalidApplications::SameId(application.id.clone()));
            }
            for hash in &application.key_hashes {
                if hashes.contains(&hash) {
                    return Err(InvalidApplications::SameKey(application.id.clone()));
                }
                hashes.push(hash);
            }
        }
        Ok(Self(all.into_iter().map(Arc::new).collect()))
    }

    /// The same, where what did not change is the very value that it was: so that what was
    /// made of it holds.
    #[must_use]
    pub fn keeping(self, known: &Self) -> Self {
        let keep = |new: Arc<Application>| {
            let old = known.get(new.id.as_str()).filter(|old| **old == new);
            old.cloned().unwrap_or(new)
        };
        Self(self.0.into_iter().map(keep).collect())
    }

    /// The first one: whoever names none means it.
    pub fn first(&self) -> &Arc<Application> {
        &self.0[0]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Application>> {
        self.0.iter()
    }

    /// The one of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<Application>> {
        self.0.iter().find(|it| it.id.as_str() == id)
    }

    /// The one of that key. Every hash is compared, each in constant time.
    pub fn of_key(&self, key: &ApiKey) -> Option<&Arc<Application>> {
        let hash = key.hash();
        let mut found = None;
        for application in &self.0 {
            for known in &application.key_hashes {
                if known.is(&hash) {
                    found = Some(application);
                }
            }
        }
        found
    }

    /// Whether any has a key.
    pub fn have_keys(&self) -> bool {
        self.0.iter().any(|it| !it.key_hashes.is_empty())
    }

    /// Whether pages of that origin may call for any of them.
    pub fn allow_origin(&self, origin: &str) -> bool {
        let mut origins = self.0.iter().flat_map(|it| &it.origins);
        origins.any(|it| it == origin)
    }
}

/// Who may take further steps of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The application that it is for.
    pub application: ApplicationId,
    /// Whether it was made with a key.
    pub with_key: bool,
}

impl Owner {
    /// Whether a call may take a step that came with the key of that application, or
    /// with none. A session that was made with a key needs one of the same application;
    /// no session takes another's.
    pub fn admits(&self, key: Option<&ApplicationId>) -> bool {
        key.map_or(!self.with_key, |key| *key == self.application)
    }
}

#[cfg(test)]
mod tests;
