//! How values are written: durations, lists, quotas, addresses.

use std::{
    collections::HashMap, num::NonZeroU32, ops::RangeInclusive, path::Path, str::FromStr,
    time::Duration,
};

use super::{ConfigError, Quota, variables::Variable};

/// The shortest and the longest wait there is.
const WAITS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);

/// Reads variables through a lookup and names them when they are wrong.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup }
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
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(content) if !content.trim().is_empty() => Ok(Some(content.trim().to_owned())),
                Ok(_) => Err(variable.error(format!("the file {path} is empty"))),
                Err(error) => Err(variable.error(format!("cannot read the file {path}: {error}"))),
            },
            (value, None) => Ok(value.or_else(|| variable.default.map(str::to_owned))),
        }
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

    pub(super) fn within(
        &self,
        variable: &Variable,
        least: u8,
        most: u8,
    ) -> Result<u8, ConfigError> {
        let form = format!("a number from {least} to {most}");
        let number: u8 = self.parse(variable, &form)?;
        if (least..=most).contains(&number) {
            Ok(number)
        } else {
            Err(variable.error(format!("must be {form}")))
        }
    }

    /// Letters, digits and hyphens: what goes into a path or a header.
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

    /// `120/1m`, or `off` for none.
    pub(super) fn quota(&self, variable: &Variable) -> Result<Option<Quota>, ConfigError> {
        let text = self.required(variable)?;
        if text == "off" {
            return Ok(None);
        }
        let quota = text.split_once('/').and_then(|(count, per)| {
            Some(Quota {
                count: count.trim().parse::<NonZeroU32>().ok()?,
                per: humantime::parse_duration(per.trim()).ok()?,
            })
        });
        match quota {
            Some(quota) if (1..=86_400).contains(&quota.per.as_secs()) => Ok(Some(quota)),
            _ => {
                Err(variable
                    .error("must be a count in a time of 1s to 24h, such as 120/1m, or off"))
            }
        }
    }
}

/// The parts between commas, without spaces around them.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// Where Plivo is. The token travels with every call: in clear text on loopback
/// only.
pub(super) fn base_url(text: &str) -> Result<String, &'static str> {
    let url = reqwest::Url::parse(text)
        .map_err(|_| "must be an address such as https://api.plivo.com")?;
    let host = url.host_str().unwrap_or_default();
    let loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err("must be https, or http on loopback");
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("must be scheme, host, port and path only");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The lines of `.env`, where there is one. The process's own environment is
/// left as it is: changing it is unsafe once threads run.
pub(super) fn read_env_file(path: &Path) -> Result<HashMap<String, String>, ConfigError> {
    let error = |problem: String| ConfigError {
        variable: ".env",
        problem,
    };
    match dotenvy::from_path_iter(path) {
        Ok(lines) => lines
            .collect::<Result<_, _>>()
            // The library's message quotes the line, and a line may hold a secret.
            .map_err(|_| error("a line is not NAME=value".to_owned())),
        Err(dotenvy::Error::Io(problem)) if problem.kind() == std::io::ErrorKind::NotFound => {
            Ok(HashMap::new())
        }
        Err(_) => Err(error("cannot be read".to_owned())),
    }
}
