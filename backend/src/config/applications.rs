//! The applications: from a file, or one from the variables.

mod file;

use std::{collections::BTreeMap, path::PathBuf};

use self::file::{Entry, File, described};
use super::{
    ConfigError, is_brand_name, read_brand_name, read_file, read_hosts, read_origins,
    values::{self, Reader, parse_caps, parse_quotas},
    variables::{self, Variable},
};
use crate::{
    http::{allowed_origins::AllowedOrigins, page::embedding::ReturnUrls},
    proof::TEST_AUDIENCE,
};
use countersign_core::{
    AccessPolicy, ApiKey, Application, ApplicationId, Applications, KeyHash, Prices, Quota,
    api_key, country::is_country,
};
use countersign_shared::{Channel, Purpose};

/// Id of the application that the variables configure.
const DEFAULT_ID: &str = "default";
/// Maximum keys per application: the old one stays valid while it is replaced.
const MAX_KEYS: usize = 2;

/// Variables that the applications file replaces.
const OF_ONE_APPLICATION: [&Variable; 10] = [
    &variables::API_KEY_HASHES,
    &variables::END_USER_ADDRESSES,
    &variables::ALLOWED_ORIGINS,
    &variables::RETURN_URLS,
    &variables::EMBED_ORIGINS,
    &variables::PROOF_AUDIENCE,
    &variables::BRAND_NAME,
    &variables::BRAND_LOGO_FILE,
    &variables::THEME_FILE,
    &variables::PLIVO_APP_UUID,
];

/// The applications file, and the defaults for what an application does not set.
#[derive(Clone, Debug)]
pub struct ApplicationsFile {
    /// The file.
    pub path: PathBuf,
    policy: AccessPolicy,
    prices: Option<Prices>,
}

impl ApplicationsFile {
    /// Loads the file; the error is one line.
    pub fn read(&self) -> Result<Applications, ConfigError> {
        let path = self.path.display();
        let text = std::fs::read_to_string(&self.path).map_err(|error| {
            variables::APPLICATIONS_FILE.error(format!("cannot read the file {path}: {error}"))
        })?;
        let read = self.parse(&text);
        read.map_err(|problem| variables::APPLICATIONS_FILE.error(format!("{path}: {problem}")))
    }

    fn parse(&self, text: &str) -> Result<Applications, String> {
        let file: File = toml::from_str(text).map_err(|error| described(text, &error))?;
        let all: Result<Vec<Application>, String> = (file.application.into_iter())
            .map(|entry| {
                let id = ApplicationId::parse(&entry.id).ok_or(
                    "an id must be small letters, digits and hyphens, a letter first, 32 at most",
                )?;
                let read = self.application(id.clone(), entry);
                read.map_err(|problem| format!("application {id}: {problem}"))
            })
            .collect();
        Applications::new(all?).map_err(|error| error.to_string())
    }

    fn application(&self, id: ApplicationId, entry: Entry) -> Result<Application, String> {
        let name = entry.name.unwrap_or_else(|| id.to_string());
        if !is_brand_name(&name) {
            return Err("name must be 1 to 40 printable characters".to_owned());
        }
        let audience = entry.audience.unwrap_or_else(|| id.to_string());
        if !is_audience(&audience) {
            return Err(AUDIENCE.to_owned());
        }
        let no_origin = |field: &str, wrong: String| {
            format!(
                "{field}: {wrong} is no origin as browsers write it, such as https://example.com"
            )
        };
        let origins = AllowedOrigins::for_callers(entry.origins)
            .map_err(|wrong| no_origin("origins", wrong))?;
        let embed_origins = AllowedOrigins::new(entry.embed_origins)
            .map_err(|wrong| no_origin("embed_origins", wrong))?;
        ReturnUrls::new(entry.return_urls.iter().map(String::as_str))
            .map_err(|wrong| format!("return_urls: {wrong} is no address to return to"))?;
        let (origins, embed_origins) = (origins.into_list(), embed_origins.into_list());
        let is_key_only =
            origins.is_empty() && embed_origins.is_empty() && entry.return_urls.is_empty();
        let spend_caps = quotas("spend_cap", entry.spend_cap.as_deref(), parse_caps)?;
        if !spend_caps.is_empty() && self.prices.is_none() {
            return Err("spend_cap: what a code costs is not known; name a PRICES_FILE".to_owned());
        }
        Ok(Application {
            audience,
            key_hashes: key_hashes(entry.key_hashes.iter().map(String::as_str))
                .map_err(|problem| format!("key_hashes: {problem}"))?,
            takes_strangers: !is_key_only,
            policy: self.policy(entry.channels, entry.countries)?,
            plivo_app: entry.plivo_app.map(plivo_app).transpose()?,
            plivo_apps: plivo_apps(entry.plivo_apps)?,
            has_end_user_addresses: entry.end_user_addresses,
            sends: quotas("limit_sends", entry.limit_sends.as_deref(), parse_quotas)?,
            spend_caps,
            theme: there("theme", entry.theme)?,
            logo: there("logo", entry.logo)?,
            return_urls: entry.return_urls,
            origins,
            embed_origins,
            name,
            id,
        })
    }

    /// A subset of what the service allows.
    fn policy(
        &self,
        channels: Option<Vec<String>>,
        countries: Option<Vec<String>>,
    ) -> Result<AccessPolicy, String> {
        let mut policy = self.policy.clone();
        if let Some(names) = channels {
            let channels: Option<Vec<Channel>> =
                names.iter().map(|name| Channel::parse(name)).collect();
            policy.channels = channels
                .filter(|all| !all.is_empty())
                .filter(|all| all.iter().all(|it| self.policy.channels.contains(it)))
                .ok_or("channels must list some of ALLOWED_CHANNELS")?;
        }
        if let Some(codes) = countries {
            if let Some(wrong) = codes
                .iter()
                .find(|code| !is_country(code) || !self.policy.serves(code))
            {
                return Err(format!("countries: {wrong} is none of ALLOWED_COUNTRIES"));
            }
            if codes.is_empty() {
                return Err("countries must list some of ALLOWED_COUNTRIES".to_owned());
            }
            policy.countries = Some(codes);
        }
        Ok(policy)
    }
}

fn quotas(
    field: &str,
    text: Option<&str>,
    parse: fn(&str) -> Option<Vec<Quota>>,
) -> Result<Vec<Quota>, String> {
    text.map_or(Ok(Vec::new()), |text| {
        parse(text).ok_or_else(|| {
            format!("{field} must list amounts in different times of 1s to 30d, such as 5/1h,50/1d")
        })
    })
}

fn plivo_app(text: String) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_id = !text.is_empty() && text.bytes().all(is_plain);
    is_id
        .then_some(text)
        .ok_or_else(|| "plivo_app must be letters, digits and hyphens".to_owned())
}

fn plivo_apps(apps: BTreeMap<String, String>) -> Result<Vec<(Purpose, String)>, String> {
    let read = |(purpose, app): (String, String)| {
        let purpose = Purpose::parse(&purpose).ok_or(
            "plivo_apps: the purposes are sign_up, sign_in, change_number and reset".to_owned(),
        )?;
        Ok((purpose, plivo_app(app)?))
    };
    apps.into_iter().map(read).collect()
}

fn there(field: &str, path: Option<PathBuf>) -> Result<Option<PathBuf>, String> {
    match path {
        Some(path) if !path.is_file() => Err(format!("{field} names no file that is there")),
        path => Ok(path),
    }
}

fn key_hashes<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<KeyHash>, String> {
    let mut hashes = Vec::new();
    for text in texts {
        if ApiKey::parse(text).is_some() || text.starts_with(api_key::PREFIX) {
            return Err(
                "a key stands in the place of its hash; make another one with --new-key".to_owned(),
            );
        }
        hashes.push(
            KeyHash::parse(text).ok_or("must be hashes as countersign --new-key prints them")?,
        );
    }
    if hashes.len() > MAX_KEYS {
        return Err("two keys at most, so that one can be replaced".to_owned());
    }
    Ok(hashes)
}

/// The applications, and the file they are reloaded from.
pub(super) fn read_applications(
    reader: &Reader<'_>,
    policy: &AccessPolicy,
    prices: Option<&Prices>,
) -> Result<(Applications, Option<ApplicationsFile>), ConfigError> {
    let Some(path) = reader.text(&variables::APPLICATIONS_FILE)? else {
        let one = from_variables(reader, policy)?;
        let all = Applications::new(vec![one]);
        let all = all.map_err(|error| variables::API_KEY_HASHES.error(error.to_string()))?;
        return Ok((all, None));
    };
    if let Some(variable) = OF_ONE_APPLICATION.iter().find(|it| reader.is_set(it)) {
        return Err(variable.error(
            "is set, and so is APPLICATIONS_FILE, which has that for each application; unset one",
        ));
    }
    let file = ApplicationsFile {
        path: path.into(),
        policy: policy.clone(),
        prices: prices.cloned(),
    };
    Ok((file.read()?, Some(file)))
}

fn from_variables(reader: &Reader<'_>, policy: &AccessPolicy) -> Result<Application, ConfigError> {
    let list = |variable: &Variable| {
        let text = reader.text(variable)?.unwrap_or_default();
        Ok::<Vec<String>, ConfigError>(values::list(&text).map(str::to_owned).collect())
    };
    let hashes = list(&variables::API_KEY_HASHES)?;
    let id = ApplicationId::parse(DEFAULT_ID).expect("it is one");
    let hosts = read_hosts(reader)?;
    let origins = read_origins(
        reader,
        &variables::ALLOWED_ORIGINS,
        AllowedOrigins::for_callers,
    )?;
    Ok(Application {
        name: read_brand_name(reader)?,
        audience: read_audience(reader)?,
        key_hashes: key_hashes(hashes.iter().map(String::as_str))
            .map_err(|problem| variables::API_KEY_HASHES.error(problem))?,
        origins: origins.into_list(),
        return_urls: list(&variables::RETURN_URLS)?,
        embed_origins: hosts.embed_origins.into_list(),
        takes_strangers: true,
        has_end_user_addresses: has_end_user_addresses(reader)?,
        theme: read_file(reader, &variables::THEME_FILE)?,
        logo: read_file(reader, &variables::BRAND_LOGO_FILE)?,
        ..Application::new(id, policy.clone())
    })
}

/// What is wrong with an audience.
const AUDIENCE: &str = "audience must be 1 to 255 visible ASCII characters, without :test at its \
     end, which marks proofs of test numbers";

fn is_audience(text: &str) -> bool {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    is_visible && (1..=255).contains(&text.len()) && !text.ends_with(TEST_AUDIENCE)
}

fn read_audience(reader: &Reader<'_>) -> Result<String, ConfigError> {
    let audience = reader.required(&variables::PROOF_AUDIENCE)?;
    is_audience(&audience)
        .then_some(audience)
        .ok_or_else(|| variables::PROOF_AUDIENCE.error(AUDIENCE))
}

fn has_end_user_addresses(reader: &Reader<'_>) -> Result<bool, ConfigError> {
    let variable = &variables::END_USER_ADDRESSES;
    match reader.required(variable)?.as_str() {
        "required" => Ok(true),
        "optional" => Ok(false),
        _ => Err(variable.error("must be required or optional")),
    }
}

#[cfg(test)]
mod tests;
