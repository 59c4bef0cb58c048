//! The configuration, and the only reader of the environment.
//!
//! Every variable is in [`variables::VARIABLES`] with its default and meaning; `--help`,
//! `.env.example` and `docs/configuration.md` are that table.

mod applications;
mod budget;
mod conversion;
mod limits;
mod rules;
#[cfg(feature = "sandbox")]
mod sandbox_program;
mod store;
#[cfg(test)]
mod tests;
mod upstream;
mod urls;
mod values;
pub mod variables;

use std::{
    fmt,
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32},
    path::PathBuf,
    time::Duration,
};

pub use self::{
    applications::ApplicationsFile, store::StoreConfig, upstream::Upstream, values::SecretFile,
    variables::help,
};
use countersign_core::{AccessPolicy, Applications, Budget, Limits, Quota, SessionRules};

use countersign_shared::Channel;

use self::{values::Reader, variables::Variable};
use crate::http::{
    allowed_origins::AllowedOrigins,
    extract::caller::TrustedProxies,
    page::embedding::{Hosts, ReturnUrls},
};
use crate::{logging, proof};

/// A configuration error: one line that names the variable.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    variable: &'static str,
    problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.variable, self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Listen address of API and page.
    pub listen: SocketAddr,
    /// Listen address of the metrics, if they are served.
    pub metrics: Option<SocketAddr>,
    /// Public URL, without a slash at the end.
    pub public_url: Option<String>,
    /// The upstream that delivers codes.
    pub upstream: Upstream,
    /// Maximum concurrent calls of Plivo.
    pub calls_at_once: NonZeroU16,
    /// Rules of a session.
    pub rules: SessionRules,
    /// Countries and channels that codes are sent to.
    pub policy: AccessPolicy,
    /// The store.
    pub store: StoreConfig,
    /// Signing of proofs.
    pub proofs: proof::Settings,
    /// The applications.
    pub applications: Applications,
    /// The file they are loaded from, which is reloaded while the service runs.
    pub applications_file: Option<ApplicationsFile>,
    /// Trusted proxies.
    pub trusted_proxies: TrustedProxies,
    /// Limits on sends and checks, over all sessions.
    pub limits: Limits,
    /// Limit of send, resend and verify requests by address.
    pub requests_per_address: Option<Quota>,
    /// Limit of introspections by address.
    pub introspections_per_address: Option<Quota>,
    /// Limit of requests by application.
    pub requests_per_application: Option<Quota>,
    /// Limit of session reads by address.
    pub reads_per_address: Option<Quota>,
    /// Limit of open connections by address.
    pub connections_per_address: Option<NonZeroU32>,
    /// Grace period in which requests are still accepted after SIGTERM.
    pub shutdown_grace: Duration,
    /// Prices and spending caps, if configured.
    pub budget: Option<Budget>,
    /// The test numbers file.
    pub test_numbers_file: Option<PathBuf>,
    /// How long decisions about sends are stored, if they are.
    pub decisions_kept_for: Option<Duration>,
    /// The access list file.
    pub access_list_file: Option<PathBuf>,
    /// The built page.
    pub page_dir: PathBuf,
    /// True if `page_dir` was set, so that its absence is an error.
    pub page_required: bool,
    /// Format of the log.
    pub log: logging::Settings,
    /// The files that values were read from.
    pub secret_files: Vec<SecretFile>,
}

impl Config {
    /// Reads the process environment, and the file `.env` in the working directory for what
    /// is not set.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::read(environment()?)
    }

    /// Reads every variable through `lookup`. An empty value counts as unset.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let reader = Reader::new(&lookup);
        let upstream = upstream::read_upstream(&reader)?;
        let sandbox = matches!(upstream, Upstream::Sandbox);
        let store = store::read_store(&reader)?;
        let channels = rules::read_channels(&reader)?;
        let limits = limits::read_limits(&reader, sandbox)?;
        let policy = AccessPolicy {
            countries: rules::read_countries(&reader, sandbox)?,
            channels: channels.clone(),
            fictitious_numbers: sandbox,
        };
        let budget = budget::read_budget(&reader, &channels, sandbox)?;
        let prices = budget.as_ref().map(|budget| &budget.prices);
        let (applications, applications_file) =
            applications::read_applications(&reader, &policy, prices)?;
        Ok(Self {
            budget,
            public_url: read_public_url(&reader)?,
            proofs: store::read_proofs(&reader, &store)?,
            listen: read_listen(&reader)?,
            metrics: read_metrics(&reader)?,
            calls_at_once: upstream::read_calls_at_once(&reader)?,
            rules: rules::read_rules(&reader, sandbox, &limits)?,
            policy,
            applications,
            applications_file,
            upstream,
            store,
            trusted_proxies: TrustedProxies(reader.networks(&variables::TRUSTED_PROXIES)?),
            limits,
            requests_per_address: reader.quota(&variables::LIMIT_REQUESTS_PER_ADDRESS)?,
            introspections_per_address: reader
                .quota(&variables::LIMIT_INTROSPECTIONS_PER_ADDRESS)?,
            requests_per_application: reader.quota(&variables::LIMIT_REQUESTS_PER_APPLICATION)?,
            reads_per_address: reader.quota(&variables::LIMIT_READS_PER_ADDRESS)?,
            connections_per_address: read_connections_per_address(&reader)?,
            shutdown_grace: read_shutdown_grace(&reader)?,
            test_numbers_file: read_file(&reader, &variables::TEST_NUMBERS_FILE)?,
            decisions_kept_for: rules::read_decisions_kept_for(&reader)?,
            access_list_file: read_file(&reader, &variables::ACCESS_LIST_FILE)?,
            page_required: reader.is_set(&variables::PAGE_DIR),
            page_dir: reader.required(&variables::PAGE_DIR)?.into(),
            log: read_log(&reader)?,
            // Last, so that other errors are reported first.
            secret_files: reader.files(),
        })
    }
}

/// Looks up variables in the process environment, then in the file `.env` in the working
/// directory.
fn environment() -> Result<impl Fn(&str) -> Option<String>, ConfigError> {
    let file = values::read_env_file(std::path::Path::new(".env"))?;
    Ok(move |name: &str| {
        std::env::var_os(name).map_or_else(
            || file.get(name).cloned(),
            // A value that is not UTF-8 fails the variable's own check.
            |value| Some(value.to_string_lossy().into_owned()),
        )
    })
}

/// Settings of `--fetch-prices`, for a service that may have no prices yet.
#[derive(Debug)]
pub struct PriceSettings {
    /// The account.
    pub upstream: Upstream,
    /// The channels in use.
    pub channels: Vec<Channel>,
    /// Path of the file.
    pub prices_file: PathBuf,
}

/// Reads the settings of the log alone, so that an error in another variable is logged in
/// the format that was asked for.
pub fn log_from_environment() -> Result<logging::Settings, ConfigError> {
    read_log(&Reader::new(&environment()?))
}

fn read_log(reader: &Reader<'_>) -> Result<logging::Settings, ConfigError> {
    Ok(logging::Settings {
        json: match reader.required(&variables::LOG_FORMAT)?.as_str() {
            "json" => true,
            "text" => false,
            _ => return Err(variables::LOG_FORMAT.error("must be text or json")),
        },
        filter: reader.required(&variables::RUST_LOG)?,
    })
}

/// Reads the settings of `--fetch-prices` from the environment.
pub fn prices_from_environment() -> Result<PriceSettings, ConfigError> {
    let lookup = environment()?;
    let reader = Reader::new(&lookup);
    let path = reader.text(&variables::PRICES_FILE)?;
    Ok(PriceSettings {
        upstream: upstream::read_upstream(&reader)?,
        channels: rules::read_channels(&reader)?,
        prices_file: path.unwrap_or_else(|| "prices.csv".to_owned()).into(),
    })
}

/// Reads `LISTEN_ADDR` alone, for a process that calls the running service.
pub fn listen_address() -> Result<SocketAddr, ConfigError> {
    read_listen(&Reader::new(&environment()?))
}

fn read_listen(reader: &Reader<'_>) -> Result<SocketAddr, ConfigError> {
    reader.parse(&variables::LISTEN_ADDR, "an address and port")
}

fn read_metrics(reader: &Reader<'_>) -> Result<Option<SocketAddr>, ConfigError> {
    let variable = &variables::METRICS_ADDR;
    if reader.required(variable)? == "off" {
        return Ok(None);
    }
    reader
        .parse(variable, "an address and port, or off")
        .map(Some)
}

fn read_connections_per_address(reader: &Reader<'_>) -> Result<Option<NonZeroU32>, ConfigError> {
    let variable = &variables::LIMIT_CONNECTIONS_PER_ADDRESS;
    if reader.required(variable)? == "off" {
        return Ok(None);
    }
    reader.parse(variable, "a count from 1, or off").map(Some)
}

/// Together with the shutdown timeouts it stays below the 30 seconds that service managers
/// wait before they kill.
fn read_shutdown_grace(reader: &Reader<'_>) -> Result<Duration, ConfigError> {
    let variable = &variables::SHUTDOWN_GRACE;
    let grace = reader.duration(variable)?;
    if grace <= Duration::from_secs(5) {
        Ok(grace)
    } else {
        Err(variable.error("must be 0s to 5s"))
    }
}

fn read_public_url(reader: &Reader<'_>) -> Result<Option<String>, ConfigError> {
    let variable = &variables::PUBLIC_URL;
    let url = reader.text(variable)?.map(|url| urls::host_url(&url));
    url.transpose().map_err(|problem| variable.error(problem))
}

fn read_origins(
    reader: &Reader<'_>,
    variable: &Variable,
    read: impl Fn(Vec<String>) -> Result<AllowedOrigins, String>,
) -> Result<AllowedOrigins, ConfigError> {
    let text = reader.text(variable)?.unwrap_or_default();
    read(values::list(&text).map(str::to_owned).collect()).map_err(|wrong| {
        variable.error(format!(
            "{wrong} is no origin; list them as browsers write them, such as https://example.com,http://localhost:3000"
        ))
    })
}

/// A file that must exist.
fn read_file(reader: &Reader<'_>, variable: &Variable) -> Result<Option<PathBuf>, ConfigError> {
    let path = reader.text(variable)?.map(PathBuf::from);
    match path {
        Some(path) if !path.is_file() => Err(variable.error("names no file that is there")),
        path => Ok(path),
    }
}

fn read_hosts(reader: &Reader<'_>) -> Result<Hosts, ConfigError> {
    let list = reader.text(&variables::RETURN_URLS)?.unwrap_or_default();
    let return_urls = ReturnUrls::new(values::list(&list)).map_err(|wrong| {
        variables::RETURN_URLS.error(format!(
            "{wrong} is no address to return to; list https addresses (http on loopback), or whole \
             ones of a private scheme with a dot in it, without query, such as \
             https://example.com/account/ or com.example.app:/verified"
        ))
    })?;
    Ok(Hosts {
        return_urls,
        embed_origins: read_origins(reader, &variables::EMBED_ORIGINS, AllowedOrigins::new)?,
    })
}

/// The brand name, as far as it fits into a message.
fn is_brand_name(name: &str) -> bool {
    (1..=40).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

fn read_brand_name(reader: &Reader<'_>) -> Result<String, ConfigError> {
    let name = reader.required(&variables::BRAND_NAME)?;
    if is_brand_name(&name) {
        Ok(name)
    } else {
        Err(variables::BRAND_NAME.error("must be at most 40 printable characters"))
    }
}
