//! The credentials of a request: which application's server sent it.

use std::sync::Arc;

use actix_web::{
    HttpMessage,
    http::header::{AUTHORIZATION, HeaderMap, ORIGIN},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use countersign_core::{ApiKey, Application, api_key::PREFIX};

use crate::{http::problem::Challenge, verification::ApplicationRegistry};

/// Presented credentials.
#[derive(Clone, Debug)]
pub enum Presented {
    /// No key: a browser, or an anonymous client.
    Nothing,
    /// A valid key of this application.
    Key(Arc<Application>),
    /// A valid key sent by a page: it has leaked.
    FromBrowser(Arc<Application>),
    /// An unknown key.
    Wrong(Challenge),
}

impl Presented {
    /// Reads the headers.
    pub fn read(headers: &HeaderMap, registry: &ApplicationRegistry) -> Self {
        read(headers, registry)
    }

    /// The recorded credentials of a request.
    pub fn of(message: &impl HttpMessage) -> Self {
        let noted = message.extensions().get::<Self>().cloned();
        noted.unwrap_or(Self::Nothing)
    }

    /// The authenticated application.
    pub fn application(&self) -> Option<&Arc<Application>> {
        match self {
            Self::Key(application) => Some(application),
            _ => None,
        }
    }
}

fn read(headers: &HeaderMap, registry: &ApplicationRegistry) -> Presented {
    let mut values = headers.get_all(AUTHORIZATION);
    let (Some(value), more) = (values.next(), values.next()) else {
        return Presented::Nothing;
    };
    let credentials = value.to_str().ok().filter(|_| more.is_none());
    let Some((scheme, text)) = credentials.and_then(|text| text.trim().split_once(' ')) else {
        return Presented::Wrong(Challenge::Bearer);
    };
    let text = text.trim();
    let (key, user, challenge) = if scheme.eq_ignore_ascii_case("bearer") {
        (text.to_owned(), None, Challenge::Bearer)
    } else if scheme.eq_ignore_ascii_case("basic") {
        match basic(text) {
            Some((user, key)) => (key, Some(user), Challenge::Basic),
            // Credentials for a proxy in front are ignored.
            None => return Presented::Nothing,
        }
    } else {
        return Presented::Nothing;
    };
    let applications = registry.current();
    let key = ApiKey::parse(&key);
    let found = key.as_ref().and_then(|key| applications.of_key(key));
    let found = found.filter(|it| user.is_none_or(|user| user == it.id.as_str()));
    match found {
        None => Presented::Wrong(challenge),
        Some(application) if headers.contains_key(ORIGIN) => {
            Presented::FromBrowser(application.clone())
        }
        Some(application) => Presented::Key(application.clone()),
    }
}

/// User and password of Basic authentication (RFC 7617), if the password has the form of
/// our keys.
fn basic(text: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
    let (user, key) = text.split_once(':')?;
    key.starts_with(PREFIX)
        .then(|| (user.to_owned(), key.to_owned()))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use countersign_core::{AccessPolicy, ApplicationId, Applications};
    use countersign_shared::Channel;
    use secrecy::ExposeSecret;

    use super::*;

    fn key(id: &str, byte: u8) -> ApiKey {
        let id = ApplicationId::parse(id).unwrap();
        ApiKey::from_random_bytes(&id, [byte; ApiKey::RANDOM_BYTES])
    }

    fn application(id: &str, byte: u8) -> Application {
        let policy = AccessPolicy {
            countries: None,
            channels: vec![Channel::Sms],
            fictitious_numbers: false,
        };
        let mut application = Application::new(ApplicationId::parse(id).unwrap(), policy);
        application.key_hashes.push(key(id, byte).hash());
        application
    }

    fn presented(values: &[&str], origin: Option<&'static str>) -> String {
        let applications = vec![application("shop", 1), application("bank", 2)];
        let registry = ApplicationRegistry::new(Applications::new(applications).unwrap());
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        match Presented::read(&headers, &registry) {
            Presented::Nothing => "nothing".to_owned(),
            Presented::Key(application) => application.id.to_string(),
            Presented::FromBrowser(application) => format!("{} in a page", application.id),
            Presented::Wrong(challenge) => format!("wrong {challenge:?}"),
        }
    }

    #[test]
    fn a_key_comes_as_bearer_or_basic_and_what_is_not_ours_is_left_alone() {
        let text = |id, byte| key(id, byte).secret().expose_secret().to_owned();
        let (shop, bank, none) = (text("shop", 1), text("bank", 2), text("shop", 3));
        let basic = |user: &str, key: &str| {
            format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{key}")))
        };
        for (value, seen) in [
            (format!("Bearer {shop}"), "shop"),
            (format!("bearer  {bank} "), "bank"),
            (basic("shop", &shop), "shop"),
            (basic("bank", &shop), "wrong Basic"),
            (format!("Bearer {none}"), "wrong Bearer"),
            (basic("shop", &none), "wrong Basic"),
            ("Bearer x".to_owned(), "wrong Bearer"),
            ("Bearer".to_owned(), "wrong Bearer"),
            (format!("Bearer {shop}x"), "wrong Bearer"),
            // Credentials for a proxy in front.
            (basic("staging", "letmein"), "nothing"),
            ("Basic %".to_owned(), "nothing"),
            ("Negotiate abc".to_owned(), "nothing"),
        ] {
            assert_eq!(presented(&[&value], None), seen, "{value}");
        }
        let bearer = format!("Bearer {shop}");
        assert_eq!(presented(&[], None), "nothing");
        assert_eq!(presented(&[&bearer, &bearer], None), "wrong Bearer");
        assert_eq!(presented(&[&bearer], Some("null")), "shop in a page");
        assert_eq!(presented(&["Bearer x"], Some("null")), "wrong Bearer");
    }
}
