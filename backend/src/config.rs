//! The settings, and the only reader of the environment.
//!
//! Every variable stands in [`variables::VARIABLES`] with its default and its
//! meaning; `--help` and `.env.example` are that table.

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

/// Why the process does not start: one line that names the variable.
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

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where API and page are served.
    pub listen: SocketAddr,
    /// Where the metrics are served, if they are.
    pub metrics: Option<SocketAddr>,
    /// How the world reaches us, without a slash at the end.
    pub public_url: Option<String>,
    /// Who delivers the codes.
    pub upstream: Upstream,
    /// How many calls of Plivo are under way at most.
    pub calls_at_once: NonZeroU16,
    /// How one verification runs.
    pub rules: SessionRules,
    /// Whom codes are sent to.
    pub policy: AccessPolicy,
    /// Where sessions and limits are kept.
    pub store: StoreConfig,
    /// How numbers are proven to applications.
    pub proofs: proof::Settings,
    /// Who calls, and for whom codes are sent.
    pub applications: Applications,
    /// The file that they come from, which is read again while the service runs.
    pub applications_file: Option<ApplicationsFile>,
    /// Who forwards requests to us.
    pub trusted_proxies: TrustedProxies,
    /// How often codes are sent and tried, over all sessions.
    pub limits: Limits,
    /// How many requests to send, resend and verify one address may make.
    pub requests_per_address: Option<Quota>,
    /// How many introspections one address may make.
    pub introspections_per_address: Option<Quota>,
    /// How many requests one application's server may make.
    pub requests_per_application: Option<Quota>,
    /// How often one address may read sessions.
    pub reads_per_address: Option<Quota>,
    /// How many connections one address may have open.
    pub connections_per_address: Option<NonZeroU32>,
    /// How long requests are still taken when the service is about to end.
    pub shutdown_grace: Duration,
    /// What codes cost and may cost, where that is known.
    pub budget: Option<Budget>,
    /// A file of numbers that nothing is sent to.
    pub test_numbers_file: Option<PathBuf>,
    /// How long decisions about sends are kept, if they are.
    pub decisions_kept_for: Option<Duration>,
    /// A file of whom the operator blocks and allows.
    pub access_list_file: Option<PathBuf>,
    /// The built page.
    pub page_dir: PathBuf,
    /// True when `page_dir` was asked for, so that its absence is an error.
    pub page_required: bool,
    /// How the log is written.
    pub log: logging::Settings,
    /// The files that values were read from.
    pub secret_files: Vec<SecretFile>,
}

impl Config {
    /// Reads the process's environment and, behind it, the file `.env` of the
    /// working directory.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::read(environment()?)
    }

    /// Reads every variable through `lookup`. An empty value counts as none.
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
            log: logging::Settings {
                json: match reader.required(&variables::LOG_FORMAT)?.as_str() {
                    "json" => true,
                    "text" => false,
                    _ => return Err(variables::LOG_FORMAT.error("must be text or json")),
                },
                filter: reader.required(&variables::RUST_LOG)?,
            },
            // After all that was read.
            secret_files: reader.files(),
        })
    }
}

/// Looks variables up in the process's environment and, behind it, in the file `.env` of
/// the working directory.
fn environment() -> Result<impl Fn(&str) -> Option<String>, ConfigError> {
    let file = values::read_env_file(std::path::Path::new(".env"))?;
    Ok(move |name: &str| {
        std::env::var_os(name).map_or_else(
            || file.get(name).cloned(),
            // A value that is no text fails the variable's own check.
            |value| Some(value.to_string_lossy().into_owned()),
        )
    })
}

/// What fetching prices needs, of a service that may have none yet.
#[derive(Debug)]
pub struct PriceSettings {
    /// Whose prices.
    pub upstream: Upstream,
    /// The channels in use.
    pub channels: Vec<Channel>,
    /// Where they are kept.
    pub prices_file: PathBuf,
}

/// What fetching prices needs, from the environment.
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

/// `LISTEN_ADDR` alone, for a process that asks the running service something.
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

/// With what is under way, and the connections' end, it stays below the 30
/// seconds that service managers wait before they kill.
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

/// A file that is there, or the start says so.
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

/// What fits into a message.
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
