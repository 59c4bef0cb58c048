//! Builds the application's parts from the configuration.

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use actix_web::web::Data;
use countersign_core::{AccessList, ApplicationId, TestNumbers};
use countersign_metrics::Metrics;
use countersign_platform::{
    clock::{Clock, SystemClock},
    reloading::Reloading,
    tls,
};
#[cfg(feature = "sandbox")]
use countersign_plivo::AcceptedMessages;
use countersign_plivo::{Account, GuardedPlivo, PlivoClient};
use countersign_store::{
    AtClock, RedisStore, SqliteStore, Store, StoreHandle, StoreKeys,
    key_file::{self, KeyFileError},
};
use secrecy::ExposeSecret;

use super::{StartError, store_metrics::StoreMetrics};
use crate::{
    config::{Config, StoreConfig, Upstream},
    http::{
        connections::{self, Connections, TooFewFiles},
        middleware::rate_limit::{RateLimit, RateLimits},
        page::{PageSettings, PageSource, SinglePageApp},
        paths,
        routes::FixedAnswers,
        state::AppState,
    },
    proof::{KeysError, Proofs, Terms},
    verification::{
        AccessListFile, ApplicationRegistry, Callbacks, Introspection, Parts, RowKeys,
        TestNumbersFile, Verification,
    },
};

#[cfg(feature = "sandbox")]
const _: () = assert!(
    countersign_plivo::IDLE_TIMEOUT.as_secs() < plivo_simulator::KEEP_ALIVE.as_secs(),
    "the simulator closes connections that are in use"
);

/// The configured store. `clock` replaces its own.
pub async fn open_store(
    config: &Config,
    clock: Option<Arc<dyn Clock>>,
) -> Result<Arc<dyn Store>, StartError> {
    tls::set_up();
    let keys = store_keys(config)?;
    Ok(match &config.store {
        StoreConfig::Sqlite { path, .. } => {
            let clock = clock.unwrap_or_else(|| Arc::new(SystemClock::default()));
            Arc::new(SqliteStore::open(path, &keys, clock)?)
        }
        StoreConfig::Redis { address, .. } => {
            let store = Arc::new(RedisStore::open(address, &keys).await?);
            match clock {
                Some(clock) => Arc::new(AtClock::new(store, clock)),
                None => store,
            }
        }
    })
}

/// The handlers' shared state.
pub(super) fn state(
    config: &Config,
    applications: ApplicationRegistry,
    account: Account,
    store: Arc<dyn Store>,
    proofs: Arc<Proofs>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
) -> Result<Data<AppState>, StartError> {
    let keys = store_keys(config)?;
    let callbacks = callbacks(config, &account, &keys);
    let plivo = GuardedPlivo::new(
        PlivoClient::new(account)?,
        config.calls_at_once,
        clock.clone(),
        metrics.clone(),
    );
    let observer = Arc::new(StoreMetrics(metrics.clone()));
    let store = StoreHandle::start(store, observer);
    let keys = RowKeys::new(keys);
    let is_sandbox = matches!(config.upstream, Upstream::Sandbox);
    Ok(Data::new(AppState {
        applications: applications.clone(),
        is_sandbox,
        public_url: match &config.public_url {
            Some(url) => url.clone(),
            None => proofs.issuer().to_owned(),
        },
        introspection: Introspection {
            proofs: proofs.clone(),
            applications: applications.clone(),
            is_open_without_keys: is_sandbox,
            store: store.clone(),
            keys: keys.clone(),
            clock: clock.clone(),
        },
        proofs: proofs.clone(),
        store: store.clone(),
        verification: Verification::new(Parts {
            store,
            keys,
            plivo,
            rules: config.rules.clone(),
            access_list: access_list(config)?,
            test_numbers: test_numbers(config, applications.clone(), clock.clone())?,
            applications,
            limits: config.limits.clone(),
            budget: config.budget.clone(),
            decisions_kept_for: config.decisions_kept_for,
            collects_charges: config.budget.is_some()
                || matches!(config.upstream, Upstream::Live(_)),
            proofs,
            callbacks,
            clock,
            metrics,
        }),
    }))
}

/// The access list.
pub(super) fn access_list(config: &Config) -> Result<Option<AccessListFile>, StartError> {
    let parse = |text: &str| AccessList::parse(text).map_err(|problem| problem.to_string());
    let path = config.access_list_file.clone();
    let file = path.map(|path| Reloading::open(path, parse)).transpose();
    let file = file.map_err(|problem| StartError::File {
        variable: "ACCESS_LIST_FILE",
        problem,
    })?;
    Ok(file.map(Arc::new))
}

/// The test numbers.
pub(super) fn test_numbers(
    config: &Config,
    applications: ApplicationRegistry,
    clock: Arc<dyn Clock>,
) -> Result<Option<TestNumbersFile>, StartError> {
    let otp_length = config.rules.otp_length;
    let parse = move |text: &str| {
        let is_served = |id: &ApplicationId| applications.get(id).is_some();
        let read = TestNumbers::parse(text, otp_length, is_served, clock.now().into());
        read.map_err(|problem| problem.to_string())
    };
    let path = config.test_numbers_file.clone();
    let file = path.map(|path| Reloading::open(path, parse)).transpose();
    let file = file.map_err(|problem| StartError::File {
        variable: "TEST_NUMBERS_FILE",
        problem,
    })?;
    Ok(file.map(Arc::new))
}

/// The rate limits in front of the routes.
pub(super) fn rate_limits(config: &Config) -> RateLimits {
    RateLimits {
        requests: RateLimit::by_address(config.requests_per_address),
        introspections: RateLimit::by_address(config.introspections_per_address),
        reads: RateLimit::by_address(config.reads_per_address),
        applications: RateLimit::by_application(config.requests_per_application),
    }
}

/// The page; without one, a warning in the log, because the API alone is useful, too.
pub(super) fn page(
    config: &Config,
    applications: &ApplicationRegistry,
) -> Result<Option<SinglePageApp>, StartError> {
    let directory = || PageSource::Directory(config.page_dir.clone());
    let settings = PageSettings {
        source: match PageSource::carried() {
            Some(carried) if !config.page_required => carried,
            _ => directory(),
        },
        applications: applications.clone(),
        is_sandbox: matches!(config.upstream, Upstream::Sandbox),
        default_locale: config.rules.default_locale.as_str().to_owned(),
    };
    match SinglePageApp::read(settings) {
        Ok(page) => Ok(Some(page)),
        Err(source) if config.page_required => Err(StartError::Page {
            directory: config.page_dir.display().to_string(),
            source,
        }),
        Err(_) => {
            log::warn!(
                event = "page.missing";
                "no page in {}: serving the API alone", config.page_dir.display()
            );
            Ok(None)
        }
    }
}

/// The maximum number of connections that open files allow.
pub(super) fn connections(config: &Config) -> Result<Connections, TooFewFiles> {
    let sandbox = matches!(config.upstream, Upstream::Sandbox);
    Ok(Connections::new(
        connections::budget(config.calls_at_once, sandbox)?,
        config.connections_per_address,
        config.trusted_proxies.clone(),
    ))
}

/// The callback URL, if there is a public address.
fn callbacks(config: &Config, account: &Account, keys: &StoreKeys) -> Option<Callbacks> {
    let public_url = config.public_url.as_ref()?;
    let secret = keys.callback_secret();
    let url = format!("{public_url}{}/{}", paths::CALLBACK, secret.expose_secret());
    Some(Callbacks {
        url: url.into(),
        secret,
        auth_token: account.auth_token.clone(),
    })
}

/// The keys that name and seal rows.
pub(super) fn row_keys(config: &Config) -> Result<RowKeys, KeyFileError> {
    store_keys(config).map(RowKeys::new)
}

/// The store's secret key.
fn store_keys(config: &Config) -> Result<StoreKeys, KeyFileError> {
    let key = match &config.store {
        StoreConfig::Sqlite {
            path,
            secret_key: None,
        } => &key_file::read_or_make(path)?,
        StoreConfig::Sqlite {
            secret_key: Some(key),
            ..
        }
        | StoreConfig::Redis {
            secret_key: key, ..
        } => key,
    };
    StoreKeys::new(key).map_err(|_| KeyFileError::Malformed)
}

pub(super) fn proofs(
    config: &Config,
    address: SocketAddr,
    now: SystemTime,
) -> Result<Proofs, KeysError> {
    let settings = &config.proofs;
    let issuer = settings.issuer.clone();
    let terms = Terms {
        issuer: issuer.unwrap_or_else(|| format!("http://{address}")),
        lifetime: settings.lifetime,
        sandbox: matches!(config.upstream, Upstream::Sandbox),
    };
    let path = settings.keys_file.clone();
    Proofs::open(path, settings.is_given, settings.algorithm, terms, now)
}

/// The public configuration, which is the same for all callers.
pub(super) fn fixed_answers(config: &Config, applications: &ApplicationRegistry) -> FixedAnswers {
    let is_sandbox = matches!(config.upstream, Upstream::Sandbox);
    FixedAnswers::new(applications.clone(), is_sandbox, config.rules.otp_length)
}

/// The account at Plivo, or at the simulator.
pub(super) fn account(
    config: &Config,
    #[cfg(feature = "sandbox")] simulator: Option<&plivo_simulator::Simulator>,
) -> Account {
    match &config.upstream {
        Upstream::Live(account) => account.clone(),
        #[cfg(feature = "sandbox")]
        Upstream::Sandbox => account_at(simulator),
        #[cfg(not(feature = "sandbox"))]
        Upstream::Sandbox => unreachable!("the configuration refuses it in this build"),
    }
}

#[cfg(feature = "sandbox")]
pub(super) fn simulator(
    config: &Config,
) -> Result<Option<Arc<plivo_simulator::Simulator>>, StartError> {
    use plivo_simulator::{Settings, Simulator};
    if !matches!(config.upstream, Upstream::Sandbox) {
        return Ok(None);
    }
    let settings = Settings {
        session_lifetime: config.rules.session_lifetime,
        otp_length: config.rules.otp_length,
        // The resend backoff alone bounds attempts here.
        max_attempts: u32::MAX,
        ..Settings::default()
    };
    let simulator = Simulator::start(settings).map_err(StartError::Simulator)?;
    Ok(Some(Arc::new(simulator)))
}

#[cfg(feature = "sandbox")]
fn account_at(simulator: Option<&plivo_simulator::Simulator>) -> Account {
    let settings = plivo_simulator::Settings::default();
    Account {
        base_url: simulator
            .map(plivo_simulator::Simulator::base_url)
            .unwrap_or_default(),
        auth_id: settings.auth_id,
        auth_token: settings.auth_token.into(),
        app_uuid: None,
        app_hash: None,
        accepted_messages: AcceptedMessages::default(),
    }
}
