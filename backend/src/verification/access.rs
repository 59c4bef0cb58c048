//! Whom the operator's list blocks and lets through.

use std::{net::IpAddr, sync::Arc, time::Duration};

use countersign_core::{
    Access, AccessList, AccessPolicy, Millis, Recipient, RecipientError, RefusalRule, TestNumbers,
    recipient,
};
use countersign_platform::reloading::Reloading;
use countersign_shared::{Channel, PhoneNumber};

use super::{Refusal, Requester, Verification};

/// What a blocked caller is told to wait, as after any limit of its kind: when the block
/// ends is the operator's business.
const BLOCKED_RETRY: Duration = Duration::from_mins(30);

impl Verification {
    fn now(&self) -> Millis {
        self.clock.now().into()
    }

    /// Refuses what comes from an address that is blocked, and what is for somebody there.
    pub(super) fn check_requester(&self, requester: &Requester) -> Result<(), Refusal> {
        self.check_address(requester.caller.address())?;
        match requester.person() {
            Some(person) => self.check_address(person.address()),
            None => Ok(()),
        }
    }

    fn check_address(&self, address: IpAddr) -> Result<(), Refusal> {
        let Some(list) = &self.access_list else {
            return Ok(());
        };
        match list.get().of_address(address, self.now()) {
            Some(Access::Block) => Err(self.blocked()),
            _ => Ok(()),
        }
    }

    /// Refuses a number that is blocked.
    pub(super) fn check_number(&self, recipient: &Recipient) -> Result<(), Refusal> {
        match self.listed(&recipient.number, &recipient.country) {
            Some(Access::Block) => Err(self.blocked()),
            _ => Ok(()),
        }
    }

    /// Whether the operator lets the number through.
    pub(super) fn is_allowed(&self, recipient: &Recipient) -> bool {
        self.listed(&recipient.number, &recipient.country) == Some(Access::Allow)
    }

    /// The recipient of a send. A number that the metadata does not know is one if the
    /// operator lets it through.
    pub(super) fn read_recipient(
        &self,
        text: &str,
        channel: Channel,
        policy: &AccessPolicy,
    ) -> Result<Recipient, RecipientError> {
        recipient::read(text, channel, policy).or_else(|error| {
            let number = PhoneNumber::parse(text).map_err(|_| error)?;
            let is_allowed = self.listed(&number, "") == Some(Access::Allow);
            match error {
                RecipientError::Invalid if is_allowed => recipient::read_allowed(text, policy),
                _ => Err(error),
            }
        })
    }

    fn listed(&self, number: &PhoneNumber, country: &str) -> Option<Access> {
        let list = self.access_list.as_ref()?.get();
        list.of_number(number, country, self.now())
    }

    /// Hears what any refused caller hears.
    fn blocked(&self) -> Refusal {
        let rule = RefusalRule::Blocked;
        self.metrics.refused(rule);
        log::warn!(event = "rate_limit.hit", limit = rule.as_str(); "rate limit hit");
        Refusal::RateLimited {
            rule,
            retry_after: BLOCKED_RETRY,
        }
    }

    /// Drops what was derived from the previous applications: test numbers, and the metrics
    /// of their caps until the budgets are next checked.
    pub fn applications_changed(&self) {
        self.metrics.forget_application_caps();
        if let Some(numbers) = &self.test_numbers {
            numbers.forget();
        }
    }

    /// Reads the operator's files again where they have changed.
    pub async fn reload_files(&self) {
        if let Some(list) = self.access_list.clone() {
            match reloaded(list, AccessList::len).await {
                Some(Ok(entries)) => {
                    log::info!(event = "access_list.read", entries = entries; "ACCESS_LIST_FILE is in force");
                }
                Some(Err(problem)) => log::error!(
                    event = "access_list.unreadable", problem = problem.as_str();
                    "ACCESS_LIST_FILE: what was known stays in force"
                ),
                None => {}
            }
        }
        if let Some(numbers) = self.test_numbers.clone() {
            match reloaded(numbers, TestNumbers::len).await {
                Some(Ok(entries)) => {
                    log::info!(event = "test_numbers.read", entries = entries; "TEST_NUMBERS_FILE is in force");
                }
                Some(Err(problem)) => log::error!(
                    event = "test_numbers.unreadable", problem = problem.as_str();
                    "TEST_NUMBERS_FILE: what was known stays in force"
                ),
                None => {}
            }
        }
    }
}

/// Reads a file again where it has changed; answers how many entries it has. A hundred
/// thousand lines take a moment.
async fn reloaded<T: Send + Sync + 'static>(
    file: Arc<Reloading<T>>,
    entries: fn(&T) -> usize,
) -> Option<Result<usize, String>> {
    let reload = move || Some(file.reload()?.map(|()| entries(&file.get())));
    tokio::task::spawn_blocking(reload).await.ok().flatten()
}

/// The operator's list, as it was read last.
pub type AccessListFile = Arc<Reloading<AccessList>>;
