//! Test numbers: no call of Plivo, no cost, a code from the operator's file. Limits by
//! address hold, wrong codes count, and a proof is for an audience of its own.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use countersign_core::{
    ApplicationId, EndUserKeys, Limit, Recipient, Route, SendLimits, SessionRules, TestNumbers,
    UpstreamAttempt, Verdict,
};
use countersign_metrics::UpstreamCall;
use countersign_platform::reloading::Reloading;
use countersign_plivo::{Admission, PlivoError};
use countersign_shared::{Channel, OneTimeCode, PhoneNumber, SessionId, session::AttemptStatus};
use subtle::ConstantTimeEq;

use super::{Caller, ClientKey, SessionView, Verification};

/// What stands in the place of Plivo's session id; Plivo's are UUIDs.
const UPSTREAM_PREFIX: &str = "test-number-";
/// Addresses that use one test number on one day before that is told: reviewers come from
/// few.
const MAX_ADDRESSES: usize = 5;
const DAY: Duration = Duration::from_hours(24);

/// The operator's test numbers, as they were read last.
pub type TestNumbersFile = Arc<Reloading<TestNumbers>>;

/// Who carries a code and checks it.
pub(super) enum Carrier {
    /// Plivo, which admits this step.
    Plivo(Admission),
    /// Nobody: the number is a test number.
    Test,
}

impl Carrier {
    /// Whether the number is a test number.
    pub(super) fn is_test(&self) -> bool {
        matches!(self, Self::Test)
    }
}

/// Which addresses used each test number today, on this instance.
#[derive(Default)]
pub(super) struct TestNumberUses(Mutex<HashMap<PhoneNumber, (SystemTime, HashSet<ClientKey>)>>);

impl TestNumberUses {
    /// Notes a use; answers how many addresses there were today, and whether that is one
    /// too many for the first time.
    fn note(
        &self,
        number: &PhoneNumber,
        person: Option<ClientKey>,
        now: SystemTime,
    ) -> (usize, bool) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, addresses) = uses
            .entry(number.clone())
            .or_insert_with(|| (now, HashSet::new()));
        if now.duration_since(*since).is_ok_and(|age| age >= DAY) {
            *since = now;
            addresses.clear();
        }
        let person = person.filter(|_| addresses.len() <= MAX_ADDRESSES);
        let is_new = person.is_some_and(|person| addresses.insert(person));
        (addresses.len(), is_new && addresses.len() > MAX_ADDRESSES)
    }
}

/// The rules of a session that says nothing of anybody.
pub(super) fn rules(rules: &SessionRules) -> SessionRules {
    SessionRules {
        known_numbers_for: None,
        conversion: None,
        ..rules.clone()
    }
}

/// The name of the session in the place of Plivo's.
pub(super) fn upstream_id(session: SessionId) -> String {
    format!("{UPSTREAM_PREFIX}{session}")
}

/// Whether that is such a name.
pub(super) fn is_upstream_id(id: &str) -> bool {
    id.starts_with(UPSTREAM_PREFIX)
}

impl Verification {
    /// Who carries a code or a check, once Plivo admits it where it is Plivo.
    pub(super) fn carrier(&self, is_test: bool, call: UpstreamCall) -> Result<Carrier, PlivoError> {
        if is_test {
            return Ok(Carrier::Test);
        }
        self.plivo.admit(call).map(Carrier::Plivo)
    }

    /// Whether there may be test numbers.
    pub(super) fn has_test_numbers(&self) -> bool {
        self.test_numbers.is_some()
    }

    /// The number, if it is a test number of that application now.
    pub(super) fn test_number(&self, text: &str, of: &ApplicationId) -> Option<PhoneNumber> {
        let numbers = self.test_numbers.as_ref()?.get();
        let number = PhoneNumber::parse(text).ok()?;
        let now = self.clock.now().into();
        let is_one = numbers.code_of(&number, of, now).is_some();
        is_one.then_some(number)
    }

    /// Whether a session is one of a test number.
    pub(super) fn is_test(&self, view: &SessionView) -> bool {
        let id = || {
            let sealed = &view.session.upstream.id;
            self.keys.open_upstream(&view.contact.recipient, sealed)
        };
        self.has_test_numbers() && id().is_some_and(|id| is_upstream_id(&id))
    }

    /// What its code is held against: what is about addresses, and nothing else.
    pub(super) fn test_limits(
        &self,
        session: SessionId,
        end_user: EndUserKeys,
        (recipient, channel): (&Recipient, Channel),
    ) -> SendLimits {
        let keys = &self.keys;
        let mut checks = self
            .limits
            .of_send(&keys.send(end_user, recipient), channel);
        checks.retain(|check| {
            matches!(
                check.limit,
                Limit::SendsPerAddress
                    | Limit::NumbersPerAddress
                    | Limit::SendsWithoutAddress
                    | Limit::SendsPerUser
            )
        });
        SendLimits {
            number: keys.test_number(session),
            checks,
            known_reserve: None,
            destination: keys.destination(recipient),
            route: Route {
                country: recipient.country.clone(),
                channel,
            },
            is_allowed: false,
        }
    }

    /// Logs a use, and says so when a number is used from more than a few addresses.
    pub(super) fn note_test_number(&self, number: &PhoneNumber, person: Option<&Caller>) {
        let now = self.clock.now();
        let person = person.map(|person| person.key);
        let (addresses, is_spread) = self.test_number_uses.note(number, person, now);
        let recipient = number.masked();
        self.metrics.test_number_used(is_spread);
        log::info!(
            event = "test_number.used", recipient = recipient.as_str(), addresses = addresses;
            "a test number is used: nothing is sent"
        );
        if is_spread {
            log::warn!(
                event = "test_number.spread", recipient = recipient.as_str(), addresses = addresses;
                "a test number is used from many addresses: its code is known"
            );
        }
    }

    /// What is said to a code. A number that is no test number of its application any more
    /// takes none.
    pub(super) fn check_test_code(
        &self,
        (number, of): (&PhoneNumber, &ApplicationId),
        otp: &OneTimeCode,
    ) -> Verdict {
        let numbers = self.test_numbers.as_ref().map(|numbers| numbers.get());
        let now = self.clock.now().into();
        let code = numbers.as_ref().and_then(|it| it.code_of(number, of, now));
        match code {
            None => Verdict::CodeUsed,
            Some(code) if is_same(code, otp) => Verdict::Accepted,
            Some(_) => Verdict::Incorrect,
        }
    }
}

fn is_same(one: &OneTimeCode, other: &OneTimeCode) -> bool {
    one.expose()
        .as_bytes()
        .ct_eq(other.expose().as_bytes())
        .into()
}

/// Nothing is sent, so nothing is on its way.
pub(super) fn delivered(mut attempts: Vec<UpstreamAttempt>) -> Vec<UpstreamAttempt> {
    for attempt in &mut attempts {
        attempt.status = AttemptStatus::Delivered;
    }
    attempts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_many_use_is_told_once_a_day() {
        let uses = TestNumberUses::default();
        let number = PhoneNumber::parse("+14155550100").unwrap();
        let caller = |last: u8| Caller::at([192, 0, 2, last].into()).key;
        let now = SystemTime::UNIX_EPOCH;
        let mut told = Vec::new();
        for day in 0..2 {
            for last in [1, 1, 2, 3, 4, 5, 6, 7, 8] {
                let (addresses, is_spread) =
                    uses.note(&number, Some(caller(last)), now + DAY * day);
                if is_spread {
                    told.push((day, last, addresses));
                }
            }
        }
        assert_eq!(told, [(0, 6, 6), (1, 6, 6)]);
    }
}
