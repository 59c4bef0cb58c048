//! What things are called inside a store: keyed hashes, so that nobody who reads
//! one learns whom it is about.

use countersign_shared::SessionId;
use secrecy::SecretString;

use super::{
    Claim, KeyedRequest, Limit,
    vault::{Hash, Vault},
};

impl Vault {
    /// Which key the names are made with.
    pub(super) fn key_check(&self) -> Hash {
        self.hash("key check", &[])
    }

    pub(super) fn session_name(&self, id: SessionId) -> Hash {
        self.hash("session", &[id.as_bytes()])
    }

    pub(super) fn number_name(&self, number: &str) -> Hash {
        self.hash("number", &[number.as_bytes()])
    }

    /// Of a limit's uses by one subject.
    pub(super) fn claim_name(&self, claim: &Claim) -> Hash {
        self.limit_name(claim.limit, &claim.subject)
    }

    /// The same, by its parts.
    pub(super) fn limit_name(&self, limit: Limit, subject: &str) -> Hash {
        let parts = [limit.as_str().as_bytes(), subject.as_bytes()];
        self.hash("limit", &parts)
    }

    /// Of one of the different things that a limit counts.
    pub(super) fn different_name(&self, claim: &Claim) -> Option<u64> {
        let thing = claim.different.as_ref()?;
        let hash = self.hash("different", &[thing.as_bytes()]);
        let (half, _) = hash.split_first_chunk()?;
        Some(u64::from_le_bytes(*half))
    }

    /// Of a country or a range of numbers.
    pub(super) fn place_name(&self, (limit, part): (Limit, &str)) -> Hash {
        self.hash("place", &[limit.as_str().as_bytes(), part.as_bytes()])
    }

    /// Of the charges of one of Plivo's sessions.
    pub(super) fn charges_name(&self, upstream_id: &str) -> Hash {
        self.hash("charges", &[upstream_id.as_bytes()])
    }

    pub(super) fn spent_name(&self, name: &str) -> Hash {
        self.hash("spent", &[name.as_bytes()])
    }

    pub(super) fn upstream_name(&self, upstream_id: &str) -> Hash {
        self.hash("upstream", &[upstream_id.as_bytes()])
    }

    /// What stands in the path of Plivo's callbacks, the same for all instances.
    pub fn callback_secret(&self) -> SecretString {
        let hash = self.hash("callback", &[]);
        let text: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        text.into()
    }

    pub(super) fn request_name(&self, request: &KeyedRequest) -> Hash {
        self.hash("request", &[request.name.as_bytes()])
    }

    pub(super) fn body_name(&self, request: &KeyedRequest) -> Hash {
        self.hash("body", &[request.body.as_bytes()])
    }

    /// Seals an answer with its request: the caller, the key and the body.
    pub(super) fn seal_answer(&self, request: &KeyedRequest, answer: &str) -> Vec<u8> {
        self.seal("answer", opener(request).as_bytes(), answer)
    }

    /// The answer, for whoever brings its request.
    pub(super) fn open_answer(&self, request: &KeyedRequest, sealed: &[u8]) -> Option<String> {
        self.open("answer", opener(request).as_bytes(), sealed)
    }
}

/// A hash where people read it: enough of it to tell places apart.
pub(super) fn shown(name: &Hash) -> String {
    name[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn opener(request: &KeyedRequest) -> String {
    format!("{}\n{}", request.name, request.body)
}
