//! Builds the steps as the service does, with plain names in place of keyed hashes and
//! plain bytes in place of sealed ones.

use std::time::Duration;

use countersign_core::{
    ApplicationId, ApplicationKeys, AttemptUpdate, Destination, EndUserKeys, IdempotencyClaim, Key,
    Limit, LimitCheck, NewSession, Owner, QueuedCharge, Route, Sealed, SendKeys, Upstream, keys,
    transitions::{
        CallbackRecipient, RecordCallback, RecordCharges, ReserveCheck, ReserveResend, ReserveSend,
        SendLimits,
    },
};
use countersign_shared::Channel;

use crate::settings::Settings;

/// A request's idempotency key, and the body it is sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keyed {
    pub(crate) name: String,
    pub(crate) body: String,
}

impl Settings {
    pub(crate) fn send(
        &self,
        session: &str,
        (number, caller): (usize, usize),
        channel: Channel,
        keyed: Option<&Keyed>,
    ) -> ReserveSend {
        ReserveSend {
            page: None,
            new: NewSession {
                key: keys::session(session),
                number: number_key(number),
                contact: Sealed(number.to_string().into_bytes()),
                channel,
                owner: Owner {
                    application: self.applications[caller].id.clone(),
                    with_key: key_of(caller).is_some(),
                },
                end_user: caller_keys(caller),
            },
            limits: self.send_limits(number, caller, channel),
            claim: keyed.map(|it| self.claim(it, session, caller, self.rules.session_lifetime)),
            request_id: String::new(),
            rules: self.rules.clone(),
        }
    }

    pub(crate) fn resend(
        &self,
        session: &str,
        (number, caller): (usize, usize),
        channel: Channel,
        at_once: bool,
        keyed: Option<&Keyed>,
    ) -> ReserveResend {
        ReserveResend {
            application: key_of(caller),
            session: keys::session(session),
            channel,
            limits: self.send_limits(number, caller, channel),
            at_once,
            claim: keyed.map(|it| self.claim(it, session, caller, self.rules.session_lifetime)),
            request_id: String::new(),
            rules: self.rules.clone(),
        }
    }

    pub(crate) fn check(
        &self,
        session: &str,
        caller: usize,
        keyed: Option<&Keyed>,
    ) -> ReserveCheck {
        ReserveCheck {
            application: key_of(caller),
            session: keys::session(session),
            wrong_per_number: self.limits.wrong_checks_per_number.clone(),
            checks: self.limits.of_check(&caller_keys(caller)),
            claim: keyed.map(|it| self.claim(it, session, caller, self.check_kept_for)),
            rules: self.rules.clone(),
        }
    }

    pub(crate) fn callback(
        &self,
        nonce: &str,
        upstream_id: &str,
        number: usize,
        update: AttemptUpdate,
    ) -> RecordCallback {
        RecordCallback {
            nonce: keys::single_use(nonce),
            kept_for: Duration::from_hours(1),
            upstream: upstream(upstream_id),
            recipient: Some(CallbackRecipient {
                number: number_key(number),
                destination: destination(number),
            }),
            update,
            rules: self.rules.clone(),
        }
    }

    pub(crate) fn charges(
        &self,
        session: &str,
        caller: usize,
        upstream: &Key,
        charges: countersign_core::Charges,
    ) -> RecordCharges {
        RecordCharges {
            session: keys::session(session),
            upstream: upstream.clone(),
            charges,
            caps: self
                .caps()
                .into_iter()
                .chain(self.own_caps(caller))
                .collect(),
            rules: self.rules.clone(),
        }
    }

    /// What is queued to collect the charges of a code.
    pub(crate) fn charge(&self, request: u64) -> QueuedCharge {
        QueuedCharge {
            row: keys::charge(&request.to_string()),
            content: Sealed(request.to_string().into_bytes()),
            kept_for: self.rules.session_lifetime,
        }
    }

    /// The spending caps, to read how much of them is used.
    pub(crate) fn caps(&self) -> Option<LimitCheck> {
        self.budget.caps(&keys::limit(Limit::Budget, "all"))
    }

    /// The spending caps of the caller's application.
    pub(crate) fn own_caps(&self, caller: usize) -> Option<LimitCheck> {
        let own = self.applications[caller].caps(&application_keys(caller), 0);
        Some(own).filter(|caps| !caps.quotas.is_empty())
    }

    /// Whether the operator lets that number through.
    pub(crate) fn is_allowed(&self, number: usize) -> bool {
        self.allows && number == 0
    }

    pub(crate) fn claim(
        &self,
        keyed: &Keyed,
        session: &str,
        caller: usize,
        kept_for: Duration,
    ) -> IdempotencyClaim {
        IdempotencyClaim {
            key: keys::idempotency(&keyed.name),
            body: keyed.body.clone(),
            kept_for,
            subject: Some(Sealed(session.as_bytes().to_vec())),
            mismatch: self.limits.of_check(&caller_keys(caller)),
        }
    }

    fn send_limits(&self, number: usize, caller: usize, channel: Channel) -> SendLimits {
        let keys = SendKeys {
            number: number_key(number),
            range: keys::limit(Limit::SendsPerRange, "range"),
            country: keys::limit(Limit::SendsPerCountry, "country"),
            known_country: keys::limit(Limit::KnownPerCountry, "country"),
            total: keys::limit(Limit::SendsTotal, "all"),
            end_user: caller_keys(caller),
            number_mark: 2 * (1_000 + number as u64),
        };
        let mut checks = self.limits.of_send(&keys, channel);
        let row = keys::limit(Limit::Budget, "all");
        checks.extend(self.budget.of_send(&row, "US", channel));
        let prices = Some(&self.budget.prices);
        let rows = application_keys(caller);
        checks.extend(self.applications[caller].of_send(&rows, prices, ("US", channel)));
        SendLimits {
            known_reserve: self.limits.known_reserve(&keys),
            number: keys.number,
            checks,
            destination: destination(number),
            route: Route {
                country: "US".to_owned(),
                channel,
            },
            is_allowed: self.is_allowed(number),
        }
    }
}

pub(crate) fn application_keys(caller: usize) -> ApplicationKeys {
    ApplicationKeys {
        sends: keys::limit(Limit::SendsPerApplication, &caller.to_string()),
        budget: keys::limit(Limit::ApplicationBudget, &caller.to_string()),
    }
}

/// The first caller calls without a key, the others with that of their application.
pub(crate) fn key_of(caller: usize) -> Option<ApplicationId> {
    (caller > 0).then(|| application_id(caller))
}

pub(crate) fn application_id(caller: usize) -> ApplicationId {
    ApplicationId::parse(&format!("app{caller}")).expect("an id")
}

pub(crate) fn number_key(number: usize) -> Key {
    keys::number(&number.to_string())
}

pub(crate) fn upstream(id: &str) -> Upstream {
    Upstream {
        key: keys::upstream(id),
        id: Sealed(id.as_bytes().to_vec()),
    }
}

/// All numbers are in one country and one range.
pub(crate) fn destination(_: usize) -> Destination {
    Destination {
        country: keys::conversion("country"),
        range: keys::conversion("range"),
        known: keys::conversion("known"),
    }
}

fn caller_keys(caller: usize) -> EndUserKeys {
    EndUserKeys {
        address: Some(caller.to_string()),
        ..EndUserKeys::default()
    }
}

/// Opens a sealed value.
pub(crate) fn opened(sealed: &Sealed) -> String {
    String::from_utf8_lossy(&sealed.0).into_owned()
}
