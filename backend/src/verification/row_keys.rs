//! The border of the store: row names are keyed hashes, and fields that are read again are
//! sealed. Nothing behind it identifies anybody.

use countersign_core::{
    ApplicationId, ApplicationKeys, Destination, EndUserKeys, IdempotencyClaim, Key, Limit,
    LimitCheck, Recipient, Sealed, SendKeys, Upstream, keys,
};
use countersign_shared::{PhoneNumber, SessionId};
use countersign_store::{StoreKeys, hex};

use super::{Caller, Contact, IdempotentRequest, Requester};

/// Names rows and seals fields with the operator's key.
#[derive(Clone)]
pub struct RowKeys(StoreKeys);

impl RowKeys {
    /// From the operator's key.
    pub fn new(keys: StoreKeys) -> Self {
        Self(keys)
    }

    fn hash(&self, purpose: &str, parts: &[&[u8]]) -> String {
        hex(&self.0.hash(purpose, parts))
    }

    pub(super) fn session(&self, id: SessionId) -> Key {
        keys::session(&self.hash("session", &[id.as_bytes()]))
    }

    /// A number's row.
    pub fn number(&self, number: &PhoneNumber) -> Key {
        keys::number(&self.hash("number", &[number.as_str().as_bytes()]))
    }

    /// The row in place of a number's, for a session of a test number: each session counts
    /// apart.
    pub(super) fn test_number(&self, session: SessionId) -> Key {
        keys::number(&self.hash("test number", &[session.as_bytes()]))
    }

    /// The row of an instance's run.
    pub fn instance(&self, name: &str) -> Key {
        keys::run(&self.hash("run", &[name.as_bytes()]))
    }

    /// A short keyed hash of a number, which identifies it in the log.
    pub fn number_tag(&self, number: &PhoneNumber) -> String {
        short_name(&self.number(number)).to_owned()
    }

    pub(super) fn upstream_key(&self, upstream_id: &str) -> Key {
        keys::upstream(&self.hash("upstream", &[upstream_id.as_bytes()]))
    }

    /// The row of something used once: a proof, or a callback's nonce.
    pub(super) fn single_use(&self, kind: &str, name: &str) -> Key {
        keys::single_use(&self.hash("single use", &[kind.as_bytes(), name.as_bytes()]))
    }

    /// The row of a limit for one subject.
    pub(super) fn limit(&self, limit: Limit, subject: &str) -> Key {
        let parts = [limit.as_str().as_bytes(), subject.as_bytes()];
        keys::limit(limit, &self.hash("limit", &parts))
    }

    pub(super) fn destination(&self, recipient: &Recipient) -> Destination {
        let part = |kind: &str, name: &str| {
            keys::conversion(&self.hash("destination", &[kind.as_bytes(), name.as_bytes()]))
        };
        Destination {
            country: part("country", &recipient.country),
            range: part("range", recipient.range()),
            known: part("known", &recipient.country),
        }
    }

    /// The subjects that a step is counted for; none if the server names no user.
    pub(super) fn end_user(&self, requester: &Requester) -> Option<EndUserKeys> {
        let Some(application) = &requester.application else {
            return Some(self.address(&requester.caller));
        };
        let named = requester.end_user.as_ref()?;
        let id = application.id.as_str().as_bytes();
        let user = named.id.as_ref();
        let user = user.map(|user| self.hash("user", &[id, user.as_bytes()]));
        Some(match &named.address {
            Some(caller) => EndUserKeys {
                user,
                ..self.address(caller)
            },
            None => EndUserKeys {
                user,
                ..self.without_address(&application.id)
            },
        })
    }

    /// The subjects of an address.
    pub(super) fn address(&self, caller: &Caller) -> EndUserKeys {
        let hash =
            |network: super::ClientKey| self.hash("address", &[network.to_string().as_bytes()]);
        EndUserKeys {
            address: Some(hash(caller.key)),
            site: caller.site.map(hash),
            ..EndUserKeys::default()
        }
    }

    /// All users of an application that knows no addresses.
    pub(super) fn without_address(&self, id: &ApplicationId) -> EndUserKeys {
        EndUserKeys {
            without_address: Some(self.hash("without address", &[id.as_str().as_bytes()])),
            ..EndUserKeys::default()
        }
    }

    /// The rows of an application's limits.
    pub(super) fn application(&self, id: &ApplicationId) -> ApplicationKeys {
        ApplicationKeys {
            sends: self.limit(Limit::SendsPerApplication, id.as_str()),
            budget: self.limit(Limit::ApplicationBudget, id.as_str()),
        }
    }

    /// The rows of a send's limits.
    pub(super) fn send(&self, end_user: EndUserKeys, recipient: &Recipient) -> SendKeys {
        let number = recipient.number.as_str();
        let mark = self.0.hash("distinct", &[number.as_bytes()]);
        let (mark, _) = mark.split_first_chunk().expect("a hash has 16 bytes");
        SendKeys {
            number: self.number(&recipient.number),
            range: self.limit(Limit::SendsPerRange, recipient.range()),
            country: self.limit(Limit::SendsPerCountry, &recipient.country),
            known_country: self.limit(Limit::KnownPerCountry, &recipient.country),
            total: self.limit(Limit::SendsTotal, ""),
            end_user,
            number_mark: u64::from_le_bytes(*mark),
        }
    }

    /// The row of the spending caps.
    pub(super) fn budget(&self) -> Key {
        self.limit(Limit::Budget, "")
    }

    /// Of a code whose charges are to be collected, by its place in a queue.
    pub(super) fn charge(&self, place: &str) -> Key {
        keys::charge(&self.hash("charge", &[place.as_bytes()]))
    }

    pub(super) fn seal_charge(&self, place: &str, content: &str) -> Sealed {
        self.seal("charge", place.as_bytes(), content)
    }

    pub(super) fn open_charge(&self, place: &str, content: &Sealed) -> Option<String> {
        self.0.open("charge", place.as_bytes(), &content.0)
    }

    pub(super) fn seal_contact(&self, id: SessionId, contact: &Contact) -> Sealed {
        self.seal("contact", id.as_bytes(), &contact.to_text())
    }

    pub(super) fn open_contact(&self, id: SessionId, contact: &Sealed) -> Option<Contact> {
        Contact::from_text(&self.0.open("contact", id.as_bytes(), &contact.0)?)
    }

    /// The row of a page that an application's server began.
    pub(super) fn page(&self, id: SessionId) -> Key {
        keys::page(&self.hash("page", &[id.as_bytes()]))
    }

    pub(super) fn seal_page(&self, id: SessionId, content: &str) -> Sealed {
        self.seal("page", id.as_bytes(), content)
    }

    pub(super) fn open_page(&self, id: SessionId, content: &Sealed) -> Option<String> {
        self.0.open("page", id.as_bytes(), &content.0)
    }

    /// The row of a Plivo session whose id is sealed with the number.
    pub(super) fn upstream(&self, number: &PhoneNumber, upstream_id: &str) -> Upstream {
        Upstream {
            key: self.upstream_key(upstream_id),
            id: self.seal("upstream", number.as_str().as_bytes(), upstream_id),
        }
    }

    /// The row of a Plivo session of an unknown number.
    pub(super) fn unowned_upstream(&self, upstream_id: &str) -> Upstream {
        Upstream {
            key: self.upstream_key(upstream_id),
            id: Sealed(Vec::new()),
        }
    }

    pub(super) fn open_upstream(&self, number: &PhoneNumber, id: &Sealed) -> Option<String> {
        self.0.open("upstream", number.as_str().as_bytes(), &id.0)
    }

    /// A request's claim of its idempotency key; `mismatch` is counted when another body
    /// uses the key.
    pub(super) fn claim(
        &self,
        request: &IdempotentRequest,
        subject: Option<SessionId>,
        kept_for: std::time::Duration,
        mismatch: Vec<LimitCheck>,
    ) -> IdempotencyClaim {
        let name = [request.scope.as_bytes(), request.key.as_bytes()];
        let subject = subject.map(|id| self.seal_answer(request, &id.to_string()));
        IdempotencyClaim {
            key: keys::idempotency(&self.hash("idempotency", &name)),
            body: self.hash("body", &[request.body.as_bytes()]),
            kept_for,
            subject,
            mismatch,
        }
    }

    /// Seals an answer with its request: scope, key and body.
    pub(super) fn seal_answer(&self, request: &IdempotentRequest, answer: &str) -> Sealed {
        self.seal("answer", request.opener().as_bytes(), answer)
    }

    pub(super) fn open_answer(
        &self,
        request: &IdempotentRequest,
        answer: &Sealed,
    ) -> Option<String> {
        self.0
            .open("answer", request.opener().as_bytes(), &answer.0)
    }

    fn seal(&self, purpose: &str, opener: &[u8], text: &str) -> Sealed {
        Sealed(self.0.seal(purpose, opener, text))
    }
}

/// A prefix of a row's name, to tell destinations apart in the log.
fn short_name(row: &Key) -> &str {
    let (_, hash) = row.as_str().rsplit_once('/').unwrap_or_default();
    hash.get(..12).unwrap_or(hash)
}
