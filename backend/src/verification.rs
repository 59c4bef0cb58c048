//! The rules of a verification: what is sent, to whom, how often, and when a
//! code counts.
//!
//! Every step reserves in the store, then calls Plivo, then settles. What was
//! reserved is given back only when the request certainly never left.

mod callback;
mod check;
mod delivery;
mod introspect;
mod limits;
mod recipient;
mod resend;
mod send;
mod skew;
mod spend;

use std::{sync::Arc, time::Duration};

use countersign_shared::{Channel, Locale, PhoneNumber, SessionId};
use jsonwebtoken::jwk::JwkSet;

pub use self::callback::{CallbackRefusal, Callbacks, log_refused};
pub use self::recipient::{Recipient, countries, is_country, read as read_recipient, warm_up};
use crate::{
    client_ip::Caller,
    clock::Clock,
    config::{Limits, Policy, Rules, Spending},
    metrics::{Metrics, Rule, UpstreamCall},
    plivo::{Create, GuardedPlivo, PlivoError},
    proof::Proofs,
    store::{
        KeyedRequest, Known, Session, SessionOver, Store, StoreUnreachable,
        measured::Measured,
        queue::{Kind, Queue},
    },
};

/// How long callers are asked to wait when something of ours or Plivo's is down.
const OUTAGE_WAIT: Duration = Duration::from_secs(5);
/// How long when Plivo's own count for a number is full: its sessions live ten
/// minutes (reference: expiry default).
const ATTEMPTS_WAIT: Duration = Duration::from_mins(10);
/// How long when Plivo throttles us and names no time: its account limit is
/// counted over five seconds (reference: transport).
const THROTTLED_WAIT: Duration = Duration::from_secs(5);
/// How long when too many calls of Plivo or steps of the store are under way: a
/// second later others have ended.
const FULL_WAIT: Duration = Duration::from_secs(1);
/// Why a step was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not a phone number we can read.
    RecipientInvalid,
    /// The country is not served.
    CountryNotAllowed,
    /// The kind of number cannot take the channel.
    NumberTypeNotAllowed {
        /// Whether it can take another one that is offered here.
        other_channel: bool,
    },
    /// The channel is switched off.
    ChannelNotAvailable,
    /// The code does not have as many digits as ours have. No check was used.
    OtpLength {
        /// How many they have.
        expected: u8,
    },
    /// The code is wrong.
    OtpIncorrect {
        /// Codes that may still be tried.
        checks_left: u8,
    },
    /// The session takes no further step.
    Over(SessionOver),
    /// Too soon or too many.
    RateLimited {
        /// When the next call passes.
        retry_after: Duration,
    },
    /// Plivo refused us or answered nonsense.
    UpstreamError,
    /// Plivo did not answer in time.
    UpstreamTimeout,
    /// Something went wrong after the step may have had its effect; how it ended
    /// is not known.
    Unsettled {
        /// When to try again.
        retry_after: Duration,
    },
    /// Plivo or the store is not there. Nothing was done.
    TemporarilyUnavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

impl Refusal {
    /// False where the step was refused before anything was counted or asked,
    /// so that the very same request may pass later.
    pub fn had_effect(&self) -> bool {
        !matches!(
            self,
            Self::RateLimited { .. } | Self::TemporarilyUnavailable { .. }
        )
    }
}

impl From<StoreUnreachable> for Refusal {
    fn from(_: StoreUnreachable) -> Self {
        Self::TemporarilyUnavailable {
            retry_after: OUTAGE_WAIT,
        }
    }
}

impl Refusal {
    /// The store failed when what had happened was to be kept.
    fn unsettled(_: StoreUnreachable) -> Self {
        Self::Unsettled {
            retry_after: OUTAGE_WAIT,
        }
    }
}

impl From<SessionOver> for Refusal {
    fn from(over: SessionOver) -> Self {
        Self::Over(over)
    }
}

impl From<PlivoError> for Refusal {
    fn from(error: PlivoError) -> Self {
        match error {
            PlivoError::RecipientRefused => Self::RecipientInvalid,
            PlivoError::CountryRefused => Self::CountryNotAllowed,
            PlivoError::AttemptsUsedUp => Self::RateLimited {
                retry_after: ATTEMPTS_WAIT,
            },
            PlivoError::Throttled { retry_after } => Self::TemporarilyUnavailable {
                retry_after: retry_after.unwrap_or(THROTTLED_WAIT),
            },
            PlivoError::NotAsked { retry_after } => Self::TemporarilyUnavailable { retry_after },
            PlivoError::Full => Self::TemporarilyUnavailable {
                retry_after: FULL_WAIT,
            },
            PlivoError::Unreachable => Self::TemporarilyUnavailable {
                retry_after: OUTAGE_WAIT,
            },
            PlivoError::Timeout => Self::UpstreamTimeout,
            PlivoError::Broken
            | PlivoError::Refused { .. }
            | PlivoError::Failed { .. }
            | PlivoError::Nonsense => Self::UpstreamError,
        }
    }
}

/// A session that a code was sent for.
pub struct Sent {
    /// How it stands.
    pub session: Session,
    /// How long until a resend passes.
    pub resend_in: Duration,
}

/// Takes the steps of a verification.
pub struct Verification {
    store: Arc<dyn Store>,
    store_queue: Queue,
    plivo: GuardedPlivo,
    rules: Rules,
    policy: Policy,
    limits: Limits,
    spend: Option<spend::Spend>,
    brand_name: String,
    clock: Arc<dyn Clock>,
    pace: delivery::Pace,
    callbacks: Option<Callbacks>,
    proofs: Proofs,
    skew: skew::Skew,
    metrics: Arc<Metrics>,
}

impl Verification {
    /// Puts the parts together.
    #[expect(clippy::too_many_arguments, reason = "each part is one")]
    pub fn new(
        store: Measured,
        plivo: GuardedPlivo,
        rules: Rules,
        policy: Policy,
        limits: Limits,
        spending: Option<Spending>,
        brand_name: String,
        proofs: Proofs,
        callbacks: Option<Callbacks>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            store_queue: store.queue(),
            store: Arc::new(store),
            plivo,
            rules,
            policy,
            limits,
            spend: spending.map(spend::Spend::new),
            brand_name,
            clock,
            pace: delivery::Pace::new(callbacks.is_some()),
            callbacks,
            proofs,
            skew: skew::Skew::default(),
            metrics,
        }
    }

    /// Whether there is room for one more, here and at Plivo. Asked before anything
    /// is counted, so that a refusal costs next to nothing.
    fn has_room(&self, call: UpstreamCall) -> Result<(), Refusal> {
        let kind = match call {
            UpstreamCall::Validate => Kind::Check,
            UpstreamCall::Create | UpstreamCall::Retrieve => Kind::Send,
        };
        if !self.store_queue.has_room(kind) {
            self.metrics.refused(Rule::StoreBusy);
            return Err(Refusal::TemporarilyUnavailable {
                retry_after: FULL_WAIT,
            });
        }
        Ok(self.plivo.look(call)?)
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The session as it stands, and how long until a resend passes.
    pub async fn session(&self, caller: &Caller, id: SessionId) -> Result<Sent, Refusal> {
        let session = self.store.session(id).await??;
        let channel = session.last_channel();
        let recipient = recipient::read(session.recipient.as_str(), channel, &self.policy)?;
        let terms = self.send_terms(caller, &recipient, channel);
        Ok(Sent {
            resend_in: self.store.send_wait(&session.recipient, terms).await?,
            session,
        })
    }

    /// Takes a keyed request's name, or says what is known of it. Where the key is
    /// a session's, another request under it counts as a check of the guesser's
    /// address: whoever knows session and key could try codes by it.
    pub async fn begin(
        &self,
        request: &KeyedRequest,
        guesser: Option<&Caller>,
    ) -> Result<Known, Refusal> {
        let known = self.store.begin(request).await?;
        if let (Known::Mismatched, Some(caller)) = (&known, guesser) {
            let counted = self.store.use_up(self.check_terms(caller).claims).await?;
            counted.map_err(|wait| self.must_wait(&wait))?;
        }
        Ok(known)
    }

    /// Keeps the answer of a keyed request; none where nothing was done.
    pub async fn finish(
        &self,
        request: &KeyedRequest,
        answer: Option<String>,
    ) -> Result<(), Refusal> {
        Ok(self.store.finish(request, answer).await?)
    }

    /// Whether everything that a step needs is there, Plivo aside.
    pub async fn ready(&self) -> Result<(), Refusal> {
        Ok(self.store.ready().await?)
    }

    /// Whether strangers are counted by their addresses.
    pub fn limits_strangers(&self) -> bool {
        !self.limits.checks_per_address.is_empty()
    }

    /// The public keys that proofs are checked with.
    pub fn public_keys(&self) -> JwkSet {
        self.proofs.public_keys()
    }

    /// Reads the keys that sign proofs, which may have been rotated.
    pub fn reload_keys(&self) {
        self.proofs.reload();
    }

    /// Forgets what is over, looks for new keys, at what is spent and at the clocks.
    /// Called now and then.
    pub async fn sweep(&self) {
        self.reload_keys();
        self.look_at_spending().await;
        self.look_at_clocks().await;
        if self.store.sweep().await.is_err() {
            log::warn!(event = "store.unreachable"; "the store could not be swept");
        }
    }

    /// Asks Plivo to deliver a code. What it is besides comes from the settings,
    /// never from a stranger.
    async fn create(
        &self,
        recipient: &PhoneNumber,
        channel: Channel,
        locale: &Locale,
    ) -> Result<String, PlivoError> {
        let create = Create {
            recipient,
            channel,
            locale,
            brand_name: &self.brand_name,
            otp_length: self.rules.otp_length,
            callback_url: self.callback_url(),
        };
        self.plivo.create(&create).await
    }

    fn channel(&self, asked: Option<Channel>, usual: Channel) -> Result<Channel, Refusal> {
        let channel = asked.unwrap_or(usual);
        if self.policy.channels.contains(&channel) {
            Ok(channel)
        } else {
            Err(Refusal::ChannelNotAvailable)
        }
    }
}

/// One log line for a call that Plivo did not take, without a word of Plivo's.
fn log_upstream(step: &str, error: PlivoError) {
    log::warn!(event = "upstream.failed", step = step; "Plivo: {error}");
}
