//! Origins that may call the API (CORS).

use actix_cors::Cors;
use actix_web::http::{
    Method,
    header::{HeaderName, RETRY_AFTER},
};

use crate::verification::ApplicationRegistry;

/// `Access-Control-Max-Age` in seconds.
const REMEMBERED: usize = 3600;

/// Origins of pages inside native applications, by framework. Every application made with
/// the framework has the same one.
const HYBRID_APPLICATIONS: [&str; 3] = [
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
];

/// The allowed origins, as `Origin` names them.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    /// Parses origins as browsers write them: scheme, host, and a non-default port, in
    /// lower case. Returns the first invalid one.
    pub fn new(origins: Vec<String>) -> Result<Self, String> {
        let wrong = origins.iter().find(|origin| !is_origin(origin));
        match wrong.cloned() {
            Some(wrong) => Err(wrong),
            None => Ok(Self(origins)),
        }
    }

    /// Parses allowed origins, including those of native applications.
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

    /// As text.
    pub fn into_list(self) -> Vec<String> {
        self.0
    }
}

/// The CORS middleware (Fetch standard).
pub fn cors(registry: ApplicationRegistry) -> Cors {
    Cors::default()
        .allowed_origin_fn(move |origin, _| {
            let origin = origin.to_str();
            origin.is_ok_and(|origin| registry.current().allow_origin(origin))
        })
        .allowed_methods([Method::GET, Method::POST])
        // Those that `middleware::preflight` left.
        .allow_any_header()
        .expose_headers([RETRY_AFTER, HeaderName::from_static("x-request-id")])
        .max_age(REMEMBERED)
}

fn is_origin(text: &str) -> bool {
    // A host contains no `*`; whoever writes one expects a pattern.
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
