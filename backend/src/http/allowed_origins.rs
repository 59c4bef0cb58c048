//! The sites whose pages may call.

use actix_cors::Cors;
use actix_web::http::{
    Method,
    header::{HeaderName, RETRY_AFTER},
};

use crate::verification::ApplicationRegistry;

/// How long a browser remembers that it may call, in seconds.
const REMEMBERED: usize = 3600;

/// What the pages inside an application have as their origin, by its framework. Every
/// application in the world that is made with it has the same one.
const HYBRID_APPLICATIONS: [&str; 3] = [
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
];

/// The sites whose pages may call, as `Origin` names them.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    /// Takes origins as browsers write them: scheme, host, and the port where it
    /// is not the usual one, in lower case. Answers the first that is none.
    pub fn new(origins: Vec<String>) -> Result<Self, String> {
        let wrong = origins.iter().find(|origin| !is_origin(origin));
        match wrong.cloned() {
            Some(wrong) => Err(wrong),
            None => Ok(Self(origins)),
        }
    }

    /// The same for callers, and the origins that the pages of applications on
    /// phones and desktops have.
    pub fn for_callers(origins: Vec<String>) -> Result<Self, String> {
        let is_known = |origin: &str| is_origin(origin) || HYBRID_APPLICATIONS.contains(&origin);
        match origins.iter().find(|origin| !is_known(origin)).cloned() {
            Some(wrong) => Err(wrong),
            None => Ok(Self(origins)),
        }
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is one of them.
    pub fn contains(&self, origin: &str) -> bool {
        self.0.iter().any(|allowed| allowed == origin)
    }

    /// As they are written.
    pub fn into_list(self) -> Vec<String> {
        self.0
    }
}

/// What tells browsers whose pages may call (the Fetch standard, "CORS protocol").
pub fn cors(registry: ApplicationRegistry) -> Cors {
    Cors::default()
        .allowed_origin_fn(move |origin, _| {
            let origin = origin.to_str();
            origin.is_ok_and(|origin| registry.current().allow_origin(origin))
        })
        .allowed_methods([Method::GET, Method::POST])
        // Those that `middleware::preflight` has left in.
        .allow_any_header()
        .expose_headers([RETRY_AFTER, HeaderName::from_static("x-request-id")])
        .max_age(REMEMBERED)
}

fn is_origin(text: &str) -> bool {
    // No host has a star in it; who writes one hopes for a pattern.
    !text.contains('*')
        && reqwest::Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_origins_are_taken() {
        for origin in [
            "https://example.com",
            "http://localhost:3000",
            "https://[2001:db8::1]:8443",
        ] {
            assert!(AllowedOrigins::new(vec![origin.to_owned()]).is_ok());
        }
        for wrong in [
            "*",
            "null",
            "example.com",
            "https://example.com/",
            "https://example.com/app",
            "https://Example.com",
            "https://example.com:443",
            "https://user@example.com",
            "https://*.example.com",
            "ftp://example.com",
        ] {
            for read in [AllowedOrigins::new, AllowedOrigins::for_callers] {
                assert!(read(vec![wrong.to_owned()]).is_err(), "{wrong}");
            }
        }
    }

    #[test]
    fn hybrid_applications_may_call_by_their_exact_origin_and_hold_no_frame() {
        for origin in HYBRID_APPLICATIONS {
            let read = |read: fn(Vec<String>) -> _, text: String| read(vec![text]);
            assert!(read(AllowedOrigins::for_callers, origin.to_owned()).is_ok());
            assert!(read(AllowedOrigins::new, origin.to_owned()).is_err());
            for more in ["/", "/index.html", ":80", ".example.com"] {
                let wrong = format!("{origin}{more}");
                assert!(
                    read(AllowedOrigins::for_callers, wrong).is_err(),
                    "{origin}{more}"
                );
            }
        }
        for wrong in [
            "capacitor://",
            "capacitor://example.com",
            "Capacitor://localhost",
            "file://",
            "javascript://localhost",
        ] {
            assert!(
                AllowedOrigins::for_callers(vec![wrong.to_owned()]).is_err(),
                "{wrong}"
            );
        }
    }
}
