//! The parts, made from the settings.

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use countersign_shared::config::ConfigResponse;
use secrecy::ExposeSecret;

use super::StartError;
use crate::{
    clock::Clock,
    config::{Account, Config, StoreHome, Upstream},
    metrics::Metrics,
    plivo::{GuardedPlivo, PlivoClient},
    proof::{KeysError, Proofs, Terms},
    rate_limit::{Shield, Shields},
    routes,
    single_page_app::{PageSettings, PageSource, SinglePageApp},
    store::{
        Store, Vault,
        key_file::{self, KeyFileError},
        measured::Measured,
        redis::RedisStore,
        sqlite::SqliteStore,
    },
    tls,
    verification::{self, Callbacks, Verification},
};

/// The store that the settings name. `clock` replaces its own.
pub async fn open_store(
    config: &Config,
    clock: Option<Arc<dyn Clock>>,
) -> Result<Arc<dyn Store>, StartError> {
    tls::set_up();
    let (vault, rules) = (vault(config)?, config.rules.clone());
    Ok(match &config.store {
        StoreHome::Sqlite { path, .. } => Arc::new(SqliteStore::open(path, vault, rules, clock)?),
        StoreHome::Redis { address, .. } => {
            Arc::new(RedisStore::open(address, vault, rules, clock).await?)
        }
    })
}

/// The rules, with all that they need.
pub(super) fn assembled(
    config: &Config,
    account: Account,
    (store, proofs, clock, metrics): (Arc<dyn Store>, Proofs, Arc<dyn Clock>, Arc<Metrics>),
) -> Result<Verification, StartError> {
    let callbacks = callbacks(config, &account)?;
    let plivo = GuardedPlivo::new(
        PlivoClient::new(account)?,
        config.calls_at_once,
        clock.clone(),
        metrics.clone(),
    );
    Ok(Verification::new(
        Measured::new(store, metrics.clone()),
        plivo,
        config.rules.clone(),
        config.policy.clone(),
        config.limits.clone(),
        config.spending.clone(),
        config.brand_name.clone(),
        proofs,
        callbacks,
        clock,
        metrics,
    ))
}

/// The page, or none with a word in the log: an API alone is of use too.
pub(crate) fn page(config: &Config) -> Result<Option<SinglePageApp>, StartError> {
    let directory = || PageSource::Directory(config.page_dir.clone());
    let settings = PageSettings {
        source: match PageSource::carried() {
            Some(carried) if !config.page_required => carried,
            _ => directory(),
        },
        brand_name: config.brand_name.clone(),
        is_sandbox: matches!(config.upstream, Upstream::Sandbox),
        theme: config.theme_file.clone(),
        logo: config.logo_file.clone(),
        hosts: config.hosts.clone(),
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

/// Where Plivo calls back, once the world can reach us.
fn callbacks(config: &Config, account: &Account) -> Result<Option<Callbacks>, StartError> {
    let Some(public_url) = &config.public_url else {
        return Ok(None);
    };
    let secret = vault(config)?.callback_secret();
    let url = format!(
        "{public_url}{}/{}",
        routes::callback::PATH,
        secret.expose_secret()
    );
    Ok(Some(Callbacks {
        url: url.into(),
        secret,
        auth_token: account.auth_token.clone(),
    }))
}

/// What keeps the store unreadable.
fn vault(config: &Config) -> Result<Vault, KeyFileError> {
    let key = match &config.store {
        StoreHome::Sqlite {
            path,
            secret_key: None,
        } => &key_file::read_or_make(path)?,
        StoreHome::Sqlite {
            secret_key: Some(key),
            ..
        }
        | StoreHome::Redis {
            secret_key: key, ..
        } => key,
    };
    Vault::new(key).map_err(|_| KeyFileError::Malformed)
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
        audience: settings.audience.clone(),
        lifetime: settings.lifetime,
        sandbox: matches!(config.upstream, Upstream::Sandbox),
    };
    Proofs::open(settings.keys_file.clone(), settings.is_given, terms, now)
}

pub(super) fn shields(config: &Config) -> Shields {
    Shields {
        requests: Shield::new(config.requests_per_address),
        introspections: Shield::new(config.introspections_per_address),
    }
}

pub(super) fn facts(config: &Config) -> ConfigResponse {
    ConfigResponse {
        brand_name: config.brand_name.clone(),
        sandbox: matches!(config.upstream, Upstream::Sandbox),
        otp_length: config.rules.otp_length,
        channels: config.policy.channels.clone(),
        countries: verification::countries(&config.policy),
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
        // Here the waits decide how often a code is sent.
        max_attempts: u32::MAX,
        ..Settings::default()
    };
    let simulator = Simulator::start(settings).map_err(StartError::Simulator)?;
    Ok(Some(Arc::new(simulator)))
}

#[cfg(feature = "sandbox")]
pub(super) fn account_at(simulator: Option<&plivo_simulator::Simulator>) -> Account {
    let settings = plivo_simulator::Settings::default();
    Account {
        base_url: simulator
            .map(plivo_simulator::Simulator::base_url)
            .unwrap_or_default(),
        auth_id: settings.auth_id,
        auth_token: settings.auth_token.into(),
        app_uuid: None,
        app_hash: None,
    }
}
