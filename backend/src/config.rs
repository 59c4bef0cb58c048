//! The settings, and the only reader of the environment.
//!
//! Every variable stands in [`variables::VARIABLES`] with its default and its
//! meaning; `--help` and `.env.example` are that table.

mod home;
mod limits;
mod rules;
mod spending;
#[cfg(test)]
mod tests;
mod upstream;
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
    home::{LONGEST_PROOF, ProofSettings, StoreHome},
    limits::{Limits, Quota},
    rules::{ConversionRule, Policy, Rules},
    spending::Spending,
    upstream::{Account, Upstream},
    variables::help,
};
use self::{values::Reader, variables::Variable};
use crate::{
    client_ip::TrustedProxies,
    cross_origin::AllowedOrigins,
    single_page_app::host::{Hosts, ReturnUrls},
};

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
    pub rules: Rules,
    /// Whom codes are sent to.
    pub policy: Policy,
    /// Where sessions and limits are kept.
    pub store: StoreHome,
    /// How numbers are proven to applications.
    pub proofs: ProofSettings,
    /// Which other sites' pages may call.
    pub allowed_origins: AllowedOrigins,
    /// Who forwards requests to us.
    pub trusted_proxies: TrustedProxies,
    /// How often codes are sent and tried, over all sessions.
    pub limits: Limits,
    /// How many requests to send, resend and verify one address may make.
    pub requests_per_address: Option<Quota>,
    /// How many introspections one address may make.
    pub introspections_per_address: Option<Quota>,
    /// How many connections one address may have open.
    pub connections_per_address: Option<NonZeroU32>,
    /// How long requests are still taken when the service is about to end.
    pub shutdown_grace: Duration,
    /// What codes cost and may cost, where that is known.
    pub spending: Option<Spending>,
    /// The name people see.
    pub brand_name: String,
    /// A file of styles of the operator's own.
    pub theme_file: Option<PathBuf>,
    /// A file with the operator's logo.
    pub logo_file: Option<PathBuf>,
    /// Who may send people to the page.
    pub hosts: Hosts,
    /// The built page.
    pub page_dir: PathBuf,
    /// True when `page_dir` was asked for, so that its absence is an error.
    pub page_required: bool,
    /// How the log is written.
    pub log: Log,
}

/// How the log is written.
#[derive(Clone, Debug)]
pub struct Log {
    /// One JSON object a line, for machines.
    pub json: bool,
    /// What is written, in `env_logger`'s words.
    pub filter: String,
}

impl Config {
    /// Reads the process's environment and, behind it, the file `.env` of the
    /// working directory.
    pub fn from_environment() -> Result<Self, ConfigError> {
        let file = values::read_env_file(std::path::Path::new(".env"))?;
        Self::read(|name| {
            std::env::var_os(name).map_or_else(
                || file.get(name).cloned(),
                // A value that is no text fails the variable's own check.
                |value| Some(value.to_string_lossy().into_owned()),
            )
        })
    }

    /// Reads every variable through `lookup`. An empty value counts as none.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let reader = Reader::new(&lookup);
        let upstream = upstream::upstream(&reader)?;
        let sandbox = matches!(upstream, Upstream::Sandbox);
        let store = home::store(&reader)?;
        let channels = rules::channels(&reader)?;
        Ok(Self {
            spending: spending::spending(&reader, &channels)?,
            public_url: public_url(&reader)?,
            proofs: home::proofs(&reader, &store)?,
            listen: reader.parse(&variables::LISTEN_ADDR, "an address and port")?,
            metrics: metrics(&reader)?,
            calls_at_once: upstream::calls_at_once(&reader)?,
            rules: rules::rules(&reader)?,
            policy: Policy {
                countries: rules::countries(&reader, sandbox)?,
                channels,
                fictitious_numbers: sandbox,
            },
            upstream,
            store,
            allowed_origins: origins(&reader, &variables::ALLOWED_ORIGINS)?,
            trusted_proxies: TrustedProxies(reader.networks(&variables::TRUSTED_PROXIES)?),
            limits: limits::limits(&reader, sandbox)?,
            requests_per_address: reader.quota(&variables::LIMIT_REQUESTS_PER_ADDRESS)?,
            introspections_per_address: reader
                .quota(&variables::LIMIT_INTROSPECTIONS_PER_ADDRESS)?,
            connections_per_address: connections_per_address(&reader)?,
            shutdown_grace: shutdown_grace(&reader)?,
            brand_name: brand_name(&reader)?,
            theme_file: file(&reader, &variables::THEME_FILE)?,
            logo_file: file(&reader, &variables::BRAND_LOGO_FILE)?,
            hosts: hosts(&reader)?,
            page_required: reader.is_set(&variables::PAGE_DIR),
            page_dir: reader.required(&variables::PAGE_DIR)?.into(),
            log: Log {
                json: match reader.required(&variables::LOG_FORMAT)?.as_str() {
                    "json" => true,
                    "text" => false,
                    _ => return Err(variables::LOG_FORMAT.error("must be text or json")),
                },
                filter: reader.required(&variables::RUST_LOG)?,
            },
        })
    }
}

fn metrics(reader: &Reader<'_>) -> Result<Option<SocketAddr>, ConfigError> {
    let variable = &variables::METRICS_ADDR;
    if reader.required(variable)? == "off" {
        return Ok(None);
    }
    reader
        .parse(variable, "an address and port, or off")
        .map(Some)
}

fn connections_per_address(reader: &Reader<'_>) -> Result<Option<NonZeroU32>, ConfigError> {
    let variable = &variables::LIMIT_CONNECTIONS_PER_ADDRESS;
    if reader.required(variable)? == "off" {
        return Ok(None);
    }
    reader.parse(variable, "a count from 1, or off").map(Some)
}

/// With what is under way, and the connections' end, it stays below the 30
/// seconds that service managers wait before they kill.
fn shutdown_grace(reader: &Reader<'_>) -> Result<Duration, ConfigError> {
    let variable = &variables::SHUTDOWN_GRACE;
    let grace = reader.duration(variable)?;
    if grace <= Duration::from_secs(5) {
        Ok(grace)
    } else {
        Err(variable.error("must be 0s to 5s"))
    }
}

fn public_url(reader: &Reader<'_>) -> Result<Option<String>, ConfigError> {
    let variable = &variables::PUBLIC_URL;
    let url = reader.text(variable)?.map(|url| values::base_url(&url));
    url.transpose().map_err(|problem| variable.error(problem))
}

fn origins(reader: &Reader<'_>, variable: &Variable) -> Result<AllowedOrigins, ConfigError> {
    let text = reader.text(variable)?.unwrap_or_default();
    AllowedOrigins::new(values::list(&text).map(str::to_owned).collect()).map_err(|wrong| {
        variable.error(format!(
            "{wrong} is no origin; list them as browsers write them, such as https://example.com,http://localhost:3000"
        ))
    })
}

/// A file that is there, or the start says so.
fn file(reader: &Reader<'_>, variable: &Variable) -> Result<Option<PathBuf>, ConfigError> {
    let path = reader.text(variable)?.map(PathBuf::from);
    match path {
        Some(path) if !path.is_file() => Err(variable.error("names no file that is there")),
        path => Ok(path),
    }
}

fn hosts(reader: &Reader<'_>) -> Result<Hosts, ConfigError> {
    let list = reader.text(&variables::RETURN_URLS)?.unwrap_or_default();
    let return_urls = ReturnUrls::new(values::list(&list)).map_err(|wrong| {
        variables::RETURN_URLS.error(format!(
            "{wrong} is no address to return to; list https addresses (http on loopback) without \
             query, such as https://example.com/account/"
        ))
    })?;
    Ok(Hosts {
        return_urls,
        embed_origins: origins(reader, &variables::EMBED_ORIGINS)?,
    })
}

fn brand_name(reader: &Reader<'_>) -> Result<String, ConfigError> {
    let name = reader.required(&variables::BRAND_NAME)?;
    if name.chars().count() <= 40 && !name.chars().any(char::is_control) {
        Ok(name)
    } else {
        Err(variables::BRAND_NAME.error("must be at most 40 printable characters"))
    }
}
