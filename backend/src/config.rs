//! The settings, and the only reader of the environment.
//!
//! Every variable stands in [`variables::VARIABLES`] with its default and its
//! meaning; `--help` and `.env.example` are that table.

mod spending;
#[cfg(test)]
mod tests;
mod values;
pub mod variables;

use std::{
    fmt,
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32, NonZeroU64},
    path::PathBuf,
    time::Duration,
};

use countersign_shared::{Channel, Locale, OneTimeCode};
use secrecy::{ExposeSecret, SecretString};

pub use self::{spending::Spending, variables::help};
use self::{values::Reader, variables::Variable};
use crate::{
    client_ip::TrustedProxies,
    cross_origin::AllowedOrigins,
    single_page_app::host::{Hosts, ReturnUrls},
    store::{Vault, redis::Address},
};

/// The longest that a proof holds (NIST SP 800-63B and OWASP ASVS 6.5.5 give a
/// code no more).
pub const LONGEST_PROOF: Duration = Duration::from_mins(10);
/// How many different things one limit tells apart.
const MOST_DIFFERENT: NonZeroU64 = NonZeroU64::new(1000).unwrap();

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
    /// How many requests one address may make.
    pub requests_per_address: Option<Quota>,
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

/// Where sessions and limits are kept, and the key of the names in there.
#[derive(Clone, Debug)]
pub enum StoreHome {
    /// A file, for one instance.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The key; kept beside the file when absent.
        secret_key: Option<SecretString>,
    },
    /// Redis, for several instances.
    Redis {
        /// Where it is.
        address: Address,
        /// The key, the same for all of them.
        secret_key: SecretString,
    },
}

/// How numbers are proven to applications.
#[derive(Clone, Debug)]
pub struct ProofSettings {
    /// The file with the signing keys.
    pub keys_file: PathBuf,
    /// True when the file was asked for, so that its absence is an error.
    pub is_given: bool,
    /// Who says so; the address we listen on when absent.
    pub issuer: Option<String>,
    /// For whom.
    pub audience: String,
    /// How long a proof holds.
    pub lifetime: Duration,
}

/// Who delivers the codes.
#[derive(Clone, Debug)]
pub enum Upstream {
    /// The simulator inside this process: nothing is really sent.
    Sandbox,
    /// Plivo, or a stand-in at another address.
    Live(Account),
}

/// An account at Plivo.
#[derive(Clone, Debug)]
pub struct Account {
    /// Where the API is, without a slash at the end.
    pub base_url: String,
    /// The name in HTTP Basic authentication and in every path.
    pub auth_id: String,
    /// The password.
    pub auth_token: SecretString,
    /// The Verify application; the account's default one when absent.
    pub app_uuid: Option<String>,
    /// What an Android application knows its own messages by.
    pub app_hash: Option<String>,
}

/// How one verification runs.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Digits in a code.
    pub otp_length: u8,
    /// A session's life from the first send.
    pub session_lifetime: Duration,
    /// Codes that may be tried in one session.
    pub checks_per_session: u8,
    /// How long to wait for a resend: after the first send, the second and so
    /// on; the last one holds from then on. Never empty.
    pub resend_waits: Vec<Duration>,
    /// The language of a message when the caller names none.
    pub default_locale: Locale,
    /// When too few codes are given back somewhere; none counts nothing.
    pub conversion: Option<ConversionRule>,
}

/// When too few of the codes that are sent to a country, or to a range of
/// numbers, are given back: nobody there wants them, or somebody is paid for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversionRule {
    /// The share that must be given back, in percent.
    pub floor: u8,
    /// Codes within the hour before the share is looked at.
    pub least: NonZeroU32,
    /// How long a code may be out before it counts as not given back.
    pub grace: Duration,
    /// How long sends stop there.
    pub cooling: Duration,
    /// Whether they do; else what would be stopped is written down only.
    pub enforced: bool,
}

impl Rules {
    /// How long after the `sends`th send (from 1) the next may follow.
    pub fn wait_after(&self, sends: u32) -> Duration {
        let last = self.resend_waits.len() - 1;
        let index = usize::try_from(sends.saturating_sub(1)).unwrap_or(last);
        self.resend_waits[index.min(last)]
    }
}

/// Whom codes are sent to, and how.
#[derive(Clone, Debug)]
pub struct Policy {
    /// ISO 3166-1 alpha-2 codes; `None` for every country.
    pub countries: Option<Vec<String>>,
    /// The channels that may be asked for, the usual one first. Never empty.
    pub channels: Vec<Channel>,
    /// Takes numbers that regulators keep for fiction, which no phone has.
    pub fictitious_numbers: bool,
}

/// So many in so long, spent in one go or spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many; or of money, how many millionths of a dollar.
    pub count: NonZeroU64,
    /// In how long.
    pub per: Duration,
}

impl Quota {
    /// That many times as many in the same time.
    #[must_use]
    pub fn times(&self, factor: u32) -> Self {
        let count = self.count.get().saturating_mul(factor.into());
        Self {
            count: NonZeroU64::new(count).unwrap_or(self.count),
            per: self.per,
        }
    }
}

/// How often codes are sent and tried, over all sessions. Each is a list of
/// quotas that all must have room; an empty one is no limit.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Codes to one number.
    pub sends_per_number: Vec<Quota>,
    /// Calls to one number.
    pub voice_per_number: Vec<Quota>,
    /// Wrong codes for one number.
    pub wrong_checks_per_number: Vec<Quota>,
    /// Codes asked for from one address.
    pub sends_per_address: Vec<Quota>,
    /// Codes tried from one address.
    pub checks_per_address: Vec<Quota>,
    /// Different numbers asked for from one address.
    pub numbers_per_address: Vec<Quota>,
    /// Codes to one range of numbers.
    pub sends_per_prefix: Vec<Quota>,
    /// Codes to one country.
    pub sends_per_country: Vec<Quota>,
    /// Codes at all.
    pub sends_total: Vec<Quota>,
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
        let upstream = upstream(&reader)?;
        let sandbox = matches!(upstream, Upstream::Sandbox);
        let store = store(&reader)?;
        let channels = channels(&reader)?;
        Ok(Self {
            spending: spending::spending(&reader, &channels)?,
            public_url: public_url(&reader)?,
            proofs: proofs(&reader, &store)?,
            listen: reader.parse(&variables::LISTEN_ADDR, "an address and port")?,
            metrics: metrics(&reader)?,
            calls_at_once: calls_at_once(&reader)?,
            rules: rules(&reader)?,
            policy: Policy {
                countries: countries(&reader, sandbox)?,
                channels,
                fictitious_numbers: sandbox,
            },
            upstream,
            store,
            allowed_origins: origins(&reader, &variables::ALLOWED_ORIGINS)?,
            trusted_proxies: TrustedProxies(reader.networks(&variables::TRUSTED_PROXIES)?),
            limits: limits(&reader, sandbox)?,
            requests_per_address: reader.quota(&variables::LIMIT_REQUESTS_PER_ADDRESS)?,
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

fn store(reader: &Reader<'_>) -> Result<StoreHome, ConfigError> {
    let variable = &variables::STORE_URL;
    let url = reader.required(variable)?;
    let secret_key = secret_key(reader)?;
    if let Some(address) = Address::parse(&url) {
        return Ok(StoreHome::Redis {
            address: address.map_err(|problem| variable.error(problem))?,
            secret_key: secret_key.ok_or_else(|| {
                variables::SECRET_KEY.error(
                    "is not set, and with Redis all instances need the same; \
                     openssl rand -base64 32 makes one",
                )
            })?,
        });
    }
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Ok(StoreHome::Sqlite {
            path: path.into(),
            secret_key,
        }),
        _ => Err(variable.error(
            "must be sqlite: and a file, such as sqlite:data/countersign.db, \
             or a redis://, rediss:// or redis+cluster:// address",
        )),
    }
}

fn secret_key(reader: &Reader<'_>) -> Result<Option<SecretString>, ConfigError> {
    let variable = &variables::SECRET_KEY;
    let key = reader.text(variable)?.map(SecretString::from);
    if key.as_ref().is_some_and(|key| Vault::new(key).is_err()) {
        return Err(
            variable.error("must be 32 bytes in base64, such as openssl rand -base64 32 prints")
        );
    }
    Ok(key)
}

/// Which different things there were is remembered one by one, so there must not
/// be too many.
fn few(
    quotas: impl Fn(&Variable) -> Result<Vec<Quota>, ConfigError>,
    variable: &Variable,
) -> Result<Vec<Quota>, ConfigError> {
    let quotas = quotas(variable)?;
    if quotas.iter().all(|quota| quota.count <= MOST_DIFFERENT) {
        Ok(quotas)
    } else {
        Err(variable.error(format!("must count to {MOST_DIFFERENT} at most, or be off")))
    }
}

/// In sandbox everybody tries from one address and with the few numbers that are
/// kept for fiction: what counts strangers together is off there unless set.
fn limits(reader: &Reader<'_>, sandbox: bool) -> Result<Limits, ConfigError> {
    let together = |variable: &Variable| {
        if sandbox && !reader.is_set(variable) {
            Ok(Vec::new())
        } else {
            reader.quotas(variable)
        }
    };
    Ok(Limits {
        sends_per_number: reader.quotas(&variables::LIMIT_SENDS_PER_NUMBER)?,
        voice_per_number: reader.quotas(&variables::LIMIT_VOICE_PER_NUMBER)?,
        wrong_checks_per_number: reader.quotas(&variables::LIMIT_WRONG_CHECKS_PER_NUMBER)?,
        sends_per_address: together(&variables::LIMIT_SENDS_PER_ADDRESS)?,
        checks_per_address: together(&variables::LIMIT_CHECKS_PER_ADDRESS)?,
        numbers_per_address: few(together, &variables::LIMIT_NUMBERS_PER_ADDRESS)?,
        sends_per_prefix: together(&variables::LIMIT_SENDS_PER_PREFIX)?,
        sends_per_country: together(&variables::LIMIT_SENDS_PER_COUNTRY)?,
        sends_total: together(&variables::LIMIT_SENDS_TOTAL)?,
    })
}

fn upstream(reader: &Reader<'_>) -> Result<Upstream, ConfigError> {
    use variables::{PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN, PLIVO_BASE_URL, PLIVO_MODE};
    match reader.text(&PLIVO_MODE)?.as_deref() {
        Some("sandbox") => {
            let live: [&Variable; 3] = [&PLIVO_AUTH_ID, &PLIVO_AUTH_TOKEN, &PLIVO_BASE_URL];
            if let Some(variable) = live.into_iter().find(|variable| reader.is_set(variable)) {
                return Err(variable
                    .error("is set, but PLIVO_MODE=sandbox sends nothing; unset one of the two"));
            }
            if cfg!(feature = "sandbox") {
                Ok(Upstream::Sandbox)
            } else {
                Err(PLIVO_MODE
                    .error("this build carries no sandbox; build with --features sandbox"))
            }
        }
        Some("live") => Ok(Upstream::Live(Account {
            base_url: values::base_url(&reader.required(&PLIVO_BASE_URL)?)
                .map_err(|problem| PLIVO_BASE_URL.error(problem))?,
            auth_id: reader.identifier(&PLIVO_AUTH_ID)?,
            auth_token: auth_token(reader)?,
            app_uuid: reader
                .is_set(&variables::PLIVO_APP_UUID)
                .then(|| reader.identifier(&variables::PLIVO_APP_UUID))
                .transpose()?,
            app_hash: app_hash(reader)?,
        })),
        Some(_) => Err(PLIVO_MODE.error("must be live or sandbox")),
        None => Err(PLIVO_MODE.error(
            "is not set; choose sandbox to try everything without an account, \
             or live with PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN",
        )),
    }
}

/// With fewer, the share of the checks would be all or nothing.
fn calls_at_once(reader: &Reader<'_>) -> Result<NonZeroU16, ConfigError> {
    let variable = &variables::PLIVO_CALLS_AT_ONCE;
    let count: u16 = reader.parse(variable, "5 to 10000")?;
    let count = NonZeroU16::new(count).filter(|count| (5..=10_000).contains(&count.get()));
    count.ok_or_else(|| variable.error("must be 5 to 10000"))
}

/// 11 characters of base64 (Google's SMS Retriever).
fn app_hash(reader: &Reader<'_>) -> Result<Option<String>, ConfigError> {
    let variable = &variables::PLIVO_APP_HASH;
    let hash = reader.text(variable)?;
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let fits = |hash: &String| hash.len() == 11 && hash.bytes().all(is_base64);
    match hash {
        Some(hash) if !fits(&hash) => {
            Err(variable.error("must be the 11 characters that the application's build prints"))
        }
        hash => Ok(hash),
    }
}

fn auth_token(reader: &Reader<'_>) -> Result<SecretString, ConfigError> {
    let token = SecretString::from(reader.required(&variables::PLIVO_AUTH_TOKEN)?);
    if token
        .expose_secret()
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        Ok(token)
    } else {
        Err(variables::PLIVO_AUTH_TOKEN.error("must be printable ASCII without spaces"))
    }
}

fn rules(reader: &Reader<'_>) -> Result<Rules, ConfigError> {
    let lifetime = reader.duration(&variables::SESSION_LIFETIME)?;
    if !(Duration::from_mins(1)..=Duration::from_hours(1)).contains(&lifetime) {
        return Err(variables::SESSION_LIFETIME.error("must be 1m to 1h"));
    }
    Ok(Rules {
        otp_length: reader.within(
            &variables::OTP_LENGTH,
            OneTimeCode::MIN_LENGTH,
            OneTimeCode::MAX_LENGTH,
        )?,
        session_lifetime: lifetime,
        // Plivo itself takes no more than ten for one code.
        checks_per_session: reader.within(&variables::CHECKS_PER_SESSION, 1, 10)?,
        resend_waits: reader.durations(&variables::RESEND_WAITS)?,
        default_locale: Locale::parse(&reader.required(&variables::DEFAULT_LOCALE)?)
            .map_err(|_| variables::DEFAULT_LOCALE.error("must be a locale such as en or en_US"))?,
        conversion: spending::conversion(reader)?,
    })
}

fn countries(reader: &Reader<'_>, sandbox: bool) -> Result<Option<Vec<String>>, ConfigError> {
    let variable = &variables::ALLOWED_COUNTRIES;
    let Some(text) = reader.text(variable)? else {
        return if sandbox {
            Ok(None)
        } else {
            Err(variable.error("is not set; list the countries to send to, such as US,GB, or *"))
        };
    };
    if text == "*" {
        return Ok(None);
    }
    let codes = values::list(&text)
        .map(str::to_ascii_uppercase)
        .collect::<Vec<_>>();
    if codes
        .iter()
        .all(|code| crate::verification::is_country(code))
        && !codes.is_empty()
    {
        Ok(Some(codes))
    } else {
        Err(variable.error("must be * or a list of ISO country codes such as US,GB"))
    }
}

fn channels(reader: &Reader<'_>) -> Result<Vec<Channel>, ConfigError> {
    let variable = &variables::ALLOWED_CHANNELS;
    let text = reader.required(variable)?;
    let mut channels = Vec::new();
    for name in values::list(&text) {
        match Channel::parse(name) {
            Some(channel) if !channels.contains(&channel) => channels.push(channel),
            _ => return Err(variable.error("must list sms, voice and whatsapp, each once at most")),
        }
    }
    if channels.is_empty() {
        return Err(variable.error("must list one channel at least"));
    }
    Ok(channels)
}

fn proofs(reader: &Reader<'_>, store: &StoreHome) -> Result<ProofSettings, ConfigError> {
    let given = reader.text(&variables::PROOF_SIGNING_KEYS_FILE)?;
    let lifetime = reader.duration(&variables::PROOF_LIFETIME)?;
    if !(Duration::from_secs(30)..=LONGEST_PROOF).contains(&lifetime) {
        return Err(variables::PROOF_LIFETIME.error("must be 30s to 10m"));
    }
    Ok(ProofSettings {
        is_given: given.is_some(),
        keys_file: match (given, store) {
            (Some(path), _) => path.into(),
            (None, StoreHome::Sqlite { path, .. }) => path.with_file_name("proof-keys.json"),
            (None, StoreHome::Redis { .. }) => {
                return Err(variables::PROOF_SIGNING_KEYS_FILE.error(
                    "is not set, and with Redis all instances sign with the same keys; \
                     name a file, and countersign --rotate-proof-key makes it",
                ));
            }
        },
        issuer: match reader.text(&variables::PROOF_ISSUER)? {
            Some(issuer) => Some(issuer),
            None => public_url(reader)?,
        },
        audience: reader.required(&variables::PROOF_AUDIENCE)?,
        lifetime,
    })
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
