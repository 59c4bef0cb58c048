//! Parsing of values: durations, lists, quotas, addresses.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt::Display,
    net::IpAddr,
    num::NonZeroU64,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use countersign_core::{MicroDollars, Quota};
use ipnet::IpNet;

use super::{ConfigError, variables::Variable};

/// The shortest and the longest wait.
const WAITS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);

/// The longest window of a quota.
const MAX_QUOTA_PERIOD: Duration = Duration::from_hours(30 * 24);
/// Maximum number of entries in a list.
const MAX_QUOTAS: usize = 8;

/// Reads variables through a lookup, and names the variable in errors.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    /// The files that values were read from.
    files: RefCell<Vec<SecretFile>>,
}

/// A file that contains a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    /// The variable that names it.
    pub variable: String,
    /// Its path.
    pub path: PathBuf,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            files: RefCell::default(),
        }
    }

    /// The files that values were read from, each once.
    pub(super) fn files(&self) -> Vec<SecretFile> {
        self.files.borrow().clone()
    }

    fn note_file(&self, variable: &Variable, path: &str) {
        let file = SecretFile {
            variable: format!("{}_FILE", variable.name),
            path: path.into(),
        };
        let mut files = self.files.borrow_mut();
        if !files.contains(&file) {
            files.push(file);
        }
    }

    fn given(&self, name: &str) -> Option<String> {
        (self.lookup)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// Whether the variable, or its file, is set.
    pub(super) fn is_set(&self, variable: &Variable) -> bool {
        self.given(variable.name).is_some()
            || (variable.from_file && self.given(&format!("{}_FILE", variable.name)).is_some())
    }

    /// The value, from the variable, its file or its default.
    pub(super) fn text(&self, variable: &Variable) -> Result<Option<String>, ConfigError> {
        let value = self.given(variable.name);
        let file = variable
            .from_file
            .then(|| self.given(&format!("{}_FILE", variable.name)))
            .flatten();
        match (value, file) {
            (Some(_), Some(_)) => Err(variable.error(format!(
                "is set, and so is {}_FILE; unset one",
                variable.name
            ))),
            (None, Some(path)) if is_quoted(&path) => Err(variable.error(format!(
                "{}_FILE is in quotes that are part of the path; write it without",
                variable.name
            ))),
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(content) if !content.trim().is_empty() => {
                    self.note_file(variable, &path);
                    Ok(Some(content.trim().to_owned()))
                }
                Ok(_) => Err(variable.error(format!("the file {path} is empty"))),
                Err(error) => Err(variable.error(format!("cannot read the file {path}: {error}"))),
            },
            (value, None) => Ok(value.or_else(|| variable.default.map(str::to_owned))),
        }
        .and_then(|value| match value {
            Some(value) if is_quoted(&value) => Err(variable.error(
                "is in quotes that are part of the value, as docker --env-file passes them; \
                 write it without",
            )),
            value => Ok(value),
        })
    }

    pub(super) fn required(&self, variable: &Variable) -> Result<String, ConfigError> {
        self.text(variable)?
            .ok_or_else(|| variable.error("is not set"))
    }

    pub(super) fn parse<T: FromStr>(
        &self,
        variable: &Variable,
        form: &str,
    ) -> Result<T, ConfigError> {
        self.required(variable)?
            .parse()
            .map_err(|_| variable.error(format!("must be {form}")))
    }

    pub(super) fn within<N: FromStr + PartialOrd + Display>(
        &self,
        variable: &Variable,
        least: N,
        most: N,
    ) -> Result<N, ConfigError> {
        let form = format!("a number from {least} to {most}");
        let number: N = self.parse(variable, &form)?;
        if (least..=most).contains(&number) {
            Ok(number)
        } else {
            Err(variable.error(format!("must be {form}")))
        }
    }

    /// Parses `20%`, from 1 to `most`.
    pub(super) fn percent(&self, variable: &Variable, most: u8) -> Result<u8, ConfigError> {
        let text = self.required(variable)?;
        let number = text.strip_suffix('%').and_then(|text| text.parse().ok());
        number
            .filter(|percent| (1..=most).contains(percent))
            .ok_or_else(|| variable.error(format!("must be a share of 1% to {most}%")))
    }

    /// Letters, digits and hyphens, which are safe in a path and a header.
    pub(super) fn identifier(&self, variable: &Variable) -> Result<String, ConfigError> {
        let text = self.required(variable)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if text.bytes().all(is_plain) {
            Ok(text)
        } else {
            Err(variable.error("must be letters, digits and hyphens"))
        }
    }

    pub(super) fn duration(&self, variable: &Variable) -> Result<Duration, ConfigError> {
        humantime::parse_duration(&self.required(variable)?)
            .map_err(|_| variable.error("must be a duration such as 30s or 10m"))
    }

    /// A duration in a range, which `form` names.
    pub(super) fn duration_within(
        &self,
        variable: &Variable,
        range: &RangeInclusive<Duration>,
        form: &str,
    ) -> Result<Duration, ConfigError> {
        let duration = self.duration(variable)?;
        if range.contains(&duration) {
            Ok(duration)
        } else {
            Err(variable.error(format!("must be {form}")))
        }
    }

    /// A duration in a range, which `form` names; none for `off`.
    pub(super) fn kept_for(
        &self,
        variable: &Variable,
        range: &RangeInclusive<Duration>,
        form: &str,
    ) -> Result<Option<Duration>, ConfigError> {
        if self.required(variable)? == "off" {
            return Ok(None);
        }
        self.duration_within(variable, range, form).map(Some)
    }

    pub(super) fn durations(&self, variable: &Variable) -> Result<Vec<Duration>, ConfigError> {
        list(&self.required(variable)?)
            .map(|text| {
                humantime::parse_duration(text)
                    .ok()
                    .filter(|wait| WAITS.contains(wait))
            })
            .collect::<Option<Vec<_>>>()
            .filter(|waits| !waits.is_empty())
            .ok_or_else(|| variable.error("must list durations of 1s to 1h, such as 30s,60s"))
    }

    /// Parses a quota, `120/1m`; none for `off`.
    pub(super) fn quota(&self, variable: &Variable) -> Result<Option<Quota>, ConfigError> {
        match self.quotas(variable)?.as_slice() {
            [] => Ok(None),
            [quota] if quota.per.as_nanos() >= u128::from(quota.count.get()) => Ok(Some(*quota)),
            [_] => Err(variable.error("must be a thousand million a second at most")),
            _ => Err(variable.error("must be one count in a time, such as 120/1m, or off")),
        }
    }

    /// `3/10m,5/1h`, or `off` for none.
    pub(super) fn quotas(&self, variable: &Variable) -> Result<Vec<Quota>, ConfigError> {
        self.listed(variable, codes, "counts", "3/10m,5/1h")
    }

    /// `5/1h,50.50/1d` in dollars, or `off` for none.
    pub(super) fn caps(&self, variable: &Variable) -> Result<Vec<Quota>, ConfigError> {
        self.listed(variable, dollars, "US dollars", "5/1h,50/1d")
    }

    fn listed(
        &self,
        variable: &Variable,
        count: impl Fn(&str) -> Option<u64>,
        what: &str,
        example: &str,
    ) -> Result<Vec<Quota>, ConfigError> {
        listed(&self.required(variable)?, count).ok_or_else(|| {
            variable.error(format!(
                "must list {what} in different times of 1s to 30d, such as {example}, or be off",
            ))
        })
    }

    /// Addresses and networks, or none.
    pub(super) fn networks(&self, variable: &Variable) -> Result<Vec<IpNet>, ConfigError> {
        let text = self.text(variable)?.unwrap_or_default();
        list(&text)
            .map(|part| match part.parse::<IpAddr>() {
                Ok(address) => Ok(IpNet::from(address.to_canonical())),
                Err(_) => part.parse().map(canonical).map_err(|_| {
                    variable
                        .error("must list addresses or networks, such as 10.0.0.0/8,2001:db8::1")
                }),
            })
            .collect()
    }
}

/// `3/10m,5/1h`, or `off` for none.
pub(super) fn parse_quotas(text: &str) -> Option<Vec<Quota>> {
    listed(text, codes)
}

/// `5/1h,50.50/1d` in dollars, or `off` for none.
pub(super) fn parse_caps(text: &str) -> Option<Vec<Quota>> {
    listed(text, dollars)
}

/// A count larger than `u32` is as good as none.
fn codes(text: &str) -> Option<u64> {
    text.parse::<u32>().ok().map(u64::from)
}

fn dollars(text: &str) -> Option<u64> {
    MicroDollars::parse(text).ok().map(|amount| amount.0)
}

fn listed(text: &str, count: impl Fn(&str) -> Option<u64>) -> Option<Vec<Quota>> {
    if text == "off" {
        return Some(Vec::new());
    }
    let quotas: Option<Vec<Quota>> = list(text).map(|part| quota(part, &count)).collect();
    quotas
        .filter(|quotas| (1..=MAX_QUOTAS).contains(&quotas.len()))
        .filter(|quotas| have_different_times(quotas))
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn canonical(network: IpNet) -> IpNet {
    let shorter = network.prefix_len().checked_sub(96);
    match (network.addr().to_canonical(), shorter) {
        (address @ IpAddr::V4(_), Some(length)) if network.addr().is_ipv6() => {
            IpNet::new(address, length).unwrap_or(network)
        }
        _ => network,
    }
}

fn quota(text: &str, read: impl Fn(&str) -> Option<u64>) -> Option<Quota> {
    let (count, per) = text.split_once('/')?;
    let per = humantime::parse_duration(per.trim()).ok()?;
    let in_range = (Duration::from_secs(1)..=MAX_QUOTA_PERIOD).contains(&per);
    in_range.then_some(Quota {
        count: read(count.trim()).and_then(NonZeroU64::new)?,
        per,
    })
}

fn have_different_times(quotas: &[Quota]) -> bool {
    let times: std::collections::HashSet<_> = quotas.iter().map(|quota| quota.per).collect();
    times.len() == quotas.len()
}

/// Whether the value is in quotes, which a shell would remove: no value is quoted as a
/// whole.
fn is_quoted(text: &str) -> bool {
    ['"', '\''].into_iter().any(|quote| {
        let rest = text.strip_prefix(quote);
        rest.is_some_and(|rest| rest.ends_with(quote))
    })
}

/// The comma-separated parts, trimmed.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// The variables in `.env`, if there is one. The process environment is not changed,
/// because that is unsafe once threads run.
pub(super) fn read_env_file(path: &Path) -> Result<HashMap<String, String>, ConfigError> {
    let error = |problem: String| ConfigError {
        variable: ".env",
        problem,
    };
    match dotenvy::from_path_iter(path) {
        Ok(lines) => lines
            .collect::<Result<_, _>>()
            // The library's message quotes the line, which may contain a secret.
            .map_err(|_| error("a line is not NAME=value".to_owned())),
        Err(dotenvy::Error::Io(problem)) if problem.kind() == std::io::ErrorKind::NotFound => {
            Ok(HashMap::new())
        }
        Err(_) => Err(error("cannot be read".to_owned())),
    }
}
