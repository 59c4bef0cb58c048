//! The operator's applications: who calls, and what each of them may do.

use std::{fmt, sync::Arc};

use countersign_shared::{Channel, Purpose};
use serde::{Deserialize, Serialize};

use crate::{
    AccessPolicy, Key, Limit, LimitCheck, Prices, Quota, Use,
    api_key::{ApiKey, KeyHash},
    rate_limit,
};

/// Length of the longest id, in bytes.
const MAX_ID: usize = 32;

/// An application's name in requests, keys and rows: lowercase letters, digits and
/// hyphens, starting with a letter, at most 32 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApplicationId(Arc<str>);

impl ApplicationId {
    /// Parses an id; `None` if the format is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_id = text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.len() <= MAX_ID
            && text.bytes().all(is_plain);
        is_id.then(|| Self(text.into()))
    }

    /// The id as text.
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
    /// The name shown on the page and in the message.
    pub name: String,
    /// The `aud` claim of its proofs.
    pub audience: String,
    /// The hashes of its keys, at most two.
    pub key_hashes: Vec<KeyHash>,
    /// Origins whose pages may call the API for it.
    pub origins: Vec<String>,
    /// URLs that the page may redirect users back to.
    pub return_urls: Vec<String>,
    /// Origins whose pages may embed the page in a frame.
    pub embed_origins: Vec<String>,
    /// Whether calls without a key are accepted.
    pub takes_strangers: bool,
    /// Its allowed countries and channels.
    pub policy: AccessPolicy,
    /// Its Plivo Verify application; the account's default if `None`.
    pub plivo_app: Option<String>,
    /// Its Plivo Verify applications for purposes that have their own.
    pub plivo_apps: Vec<(Purpose, String)>,
    /// Whether its server knows the IP addresses of the users it calls for.
    pub has_end_user_addresses: bool,
    /// Its own limit on codes, besides the service's.
    pub sends: Vec<Quota>,
    /// Its own spending caps, besides the service's.
    pub spend_caps: Vec<Quota>,
    /// A file of CSS for its page.
    pub theme: Option<std::path::PathBuf>,
    /// A file with the logo of its page.
    pub logo: Option<std::path::PathBuf>,
}

impl Application {
    /// An application with this id and policy and nothing else: it takes calls with a key
    /// only, and has no key yet.
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

    /// The Plivo Verify application for codes with that purpose.
    pub fn plivo_app(&self, purpose: Option<Purpose>) -> Option<&str> {
        let own = self.plivo_apps.iter().find(|(it, _)| Some(*it) == purpose);
        own.map(|(_, app)| app)
            .or(self.plivo_app.as_ref())
            .map(String::as_str)
    }

    /// The application's own limits on one more code, counted in these rows, besides
    /// those of the service.
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

    /// A check of `amount` against its caps, to count or correct it.
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
    /// The row of [`Limit::SendsPerApplication`].
    pub sends: Key,
    /// The row of [`Limit::ApplicationBudget`].
    pub budget: Key,
}

/// All applications, in the operator's order. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applications(Vec<Arc<Application>>);

/// What is wrong with a list of applications.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApplications {
    /// It is empty.
    #[error("there is no application in it")]
    Empty,
    /// Two have the same id.
    #[error("two applications have the id {0}")]
    SameId(ApplicationId),
    /// Two have the same key.
    #[error("two key hashes are the same; the second is of {0}")]
    SameKey(ApplicationId),
}

impl Applications {
    /// The list, if every id and every key is unique.
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

    /// The same list, but with the values of `known` for applications that did not
    /// change, so that whatever was derived from them stays valid.
    #[must_use]
    pub fn keeping(self, known: &Self) -> Self {
        let keep = |new: Arc<Application>| {
            let old = known.get(new.id.as_str()).filter(|old| **old == new);
            old.cloned().unwrap_or(new)
        };
        Self(self.0.into_iter().map(keep).collect())
    }

    /// The first one: the default for calls that name none.
    pub fn first(&self) -> &Arc<Application> {
        &self.0[0]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Application>> {
        self.0.iter()
    }

    /// The one with that id.
    pub fn get(&self, id: &str) -> Option<&Arc<Application>> {
        self.0.iter().find(|it| it.id.as_str() == id)
    }

    /// The one with that key. Every hash is compared, each in constant time.
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

    /// Whether pages of that origin may call the API for any of them.
    pub fn allow_origin(&self, origin: &str) -> bool {
        let mut origins = self.0.iter().flat_map(|it| &it.origins);
        origins.any(|it| it == origin)
    }
}

/// Who may continue a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The session's application.
    pub application: ApplicationId,
    /// Whether the session was created with a key.
    pub with_key: bool,
}

impl Owner {
    /// Whether a call with the key of that application, or without a key, may continue
    /// the session. A session that was created with a key needs one of the same
    /// application; no session accepts another application's key.
    pub fn admits(&self, key: Option<&ApplicationId>) -> bool {
        key.map_or(!self.with_key, |key| *key == self.application)
    }
}

#[cfg(test)]
mod tests;
