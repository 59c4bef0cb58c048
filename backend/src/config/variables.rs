//! The table of variables: name, default, meaning, in the order of
//! `.env.example`.

use super::ConfigError;

/// One environment variable.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Default value.
    pub default: Option<&'static str>,
    /// One line: its meaning, unit and range.
    pub meaning: &'static str,
    /// Whether `<name>_FILE` may name a file that holds the value.
    pub from_file: bool,
}

impl Variable {
    pub(super) fn error(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError {
            variable: self.name,
            problem: problem.into(),
        }
    }
}

macro_rules! variables {
    ($($name:ident = $default:expr, $from_file:literal, $meaning:literal;)+) => {
        $(#[doc = concat!("The variable `", stringify!($name), "`.")]
        pub const $name: Variable = Variable {
            name: stringify!($name),
            default: $default,
            meaning: $meaning,
            from_file: $from_file,
        };)+

        /// All variables.
        pub const VARIABLES: &[&Variable] = &[$(&$name),+];
    };
}

variables! {
    LISTEN_ADDR = Some("127.0.0.1:8080"), false,
        "Address and port of the API and the page; port 0 takes a free one.";
    METRICS_ADDR = Some("127.0.0.1:9464"), false,
        "Address and port of /metrics, for Prometheus, apart from the API; port 0 takes a free one, off serves none.";
    PUBLIC_URL = None, false,
        "How the world reaches this service, such as https://verify.example.com: a host of its own, without a path; https, or http on loopback.";
    PLIVO_MODE = None, false,
        "sandbox: a simulator inside this process, nothing is really sent; live: Plivo. Required.";
    PLIVO_AUTH_ID = None, true,
        "Plivo account, live mode only.";
    PLIVO_AUTH_TOKEN = None, true,
        "Plivo password, live mode only.";
    PLIVO_APP_UUID = None, true,
        "Plivo Verify application; the account's default one when not set.";
    PLIVO_APP_HASH = None, false,
        "What an Android application knows its messages by, 11 characters, live mode only.";
    PLIVO_BASE_URL = Some("https://api.plivo.com"), false,
        "Where Plivo is; https, or http on loopback for a local stand-in.";
    PLIVO_ACCEPTED_MESSAGES = Some("session validated successfully"), false,
        "Plivo's answers that mean a code is right: whole sentences between |, at least 12 letters each, compared without case and final full stop. Change it only where Plivo changed its words; whatever is not listed never accepts a code.";
    PLIVO_CALLS_AT_ONCE = Some("256"), false,
        "Calls of Plivo that may be under way at once, 5 to 10000; a fifth of them is kept for checks. Beyond it callers hear 503 at once.";
    STORE_URL = Some("sqlite:data/countersign.db"), true,
        "Where sessions and limits are kept: sqlite: and a file; or, for several instances, redis://, rediss:// (TLS), redis+cluster:// or rediss+cluster:// with nodes between commas.";
    SECRET_KEY = None, true,
        "32 bytes in base64 that key the hashes in the store; made and kept beside the file when not set, required with Redis.";
    PROOF_SIGNING_KEYS_FILE = None, false,
        "File with the keys that sign proofs, shared by all instances; made and kept beside the SQLite file when not set, required with Redis. countersign --rotate-proof-key makes it and rotates it.";
    PROOF_ISSUER = None, false,
        "iss of a proof, without a slash at its end; PUBLIC_URL when not set, or else the address listened on. With Redis one of the two is required, the same for all instances.";
    PROOF_ALGORITHM = Some("EdDSA"), false,
        "How proofs are signed: EdDSA, or ES256 for libraries that know no Ed25519. A change holds from the next --rotate-proof-key.";
    PROOF_AUDIENCE = Some("countersign"), false,
        "aud of a proof: the application that it is for.";
    PROOF_LIFETIME = Some("10m"), false,
        "How long a proof holds, 30s to 10m.";
    OTP_LENGTH = Some("6"), false,
        "Digits in a code, 6 to 8.";
    SESSION_LIFETIME = Some("10m"), false,
        "A session's life from the first send, 1m to 15m. NIST SP 800-63B and OWASP ASVS allow a code 10 minutes. Keep it at most the application's at Plivo.";
    CHECKS_PER_SESSION = Some("5"), false,
        "Codes that may be tried in one session, 1 to 10.";
    RESEND_WAITS = Some("30s,60s,120s,300s"), false,
        "Waits before the second send, the third and so on; the last one repeats. 1s to 1h each.";
    ALLOWED_COUNTRIES = None, false,
        "ISO codes of the countries to send to, such as US,GB; or *, or * without some, such as *,-RU. Required in live mode; * in sandbox.";
    ALLOWED_CHANNELS = Some("sms,voice"), false,
        "Channels that may be asked for, the usual one first: sms, voice, whatsapp.";
    APPLICATIONS_FILE = None, false,
        "File with the applications, in TOML (docs/applications.md), read again while the service runs. Without it there is one, which the variables make.";
    API_KEY_HASHES = None, true,
        "Hashes of the application's keys, two at most, between commas, as countersign --new-key default prints them. Without one its server is a caller like any other.";
    END_USER_ADDRESSES = Some("required"), false,
        "Whether a live send with a key must say where its user comes from (end_user.address): required, or optional for an application that does not know it, under LIMIT_SENDS_WITHOUT_ADDRESS.";
    ALLOWED_ORIGINS = None, false,
        "Other sites whose pages may call, such as https://example.com: exact origins, between commas. None when not set. Also capacitor://localhost, ionic://localhost and tauri://localhost, which are the origin of every application in the world that is made with them.";
    RETURN_URLS = None, false,
        "Where the page may send people back to, such as https://example.com/account/: exact origins and what their paths begin with, between commas; or whole addresses of a private scheme with a dot in it, such as com.example.app:/verified, for which a nonce is required. Nowhere when not set.";
    EMBED_ORIGINS = None, false,
        "Other sites whose pages may have the page in a frame, such as https://example.com: exact origins, between commas. None when not set.";
    TRUSTED_PROXIES = None, false,
        "Addresses or networks of the proxies in front, such as 10.0.0.0/8, whose forwarding headers count.";
    LIMIT_SENDS_PER_NUMBER = Some("3/10m,5/1h,10/1d"), false,
        "Codes to one number: a list of counts in times of 1s to 30d, or off. In sandbox 100/1h unless set.";
    LIMIT_VOICE_PER_NUMBER = Some("2/1h,4/1d"), false,
        "Calls to one number. In sandbox 100/1h unless set.";
    LIMIT_WRONG_CHECKS_PER_NUMBER = Some("10/1h,20/1d"), false,
        "Wrong codes for one number, over all its sessions. In sandbox 100/1h unless set.";
    LIMIT_SENDS_PER_ADDRESS = Some("5/10m"), false,
        "Codes asked for from one address (IPv6: one /64; four times that for one /48). In sandbox off unless set.";
    LIMIT_CHECKS_PER_ADDRESS = Some("20/10m"), false,
        "Codes tried from one address (IPv6 as above). In sandbox off unless set.";
    LIMIT_NUMBERS_PER_ADDRESS = Some("5/1h"), false,
        "Different numbers asked for from one address (IPv6 as above), 1000 at most. In sandbox off unless set.";
    LIMIT_SENDS_PER_USER = Some("5/10m,20/1d"), false,
        "Codes asked for with an application's key for one end_user.id. In sandbox off unless set.";
    LIMIT_SENDS_WITHOUT_ADDRESS = Some("30/10m,200/1d"), false,
        "Codes of all users of one application that knows no addresses. In sandbox off unless set.";
    LIMIT_CHECKS_WITHOUT_ADDRESS = Some("120/10m"), false,
        "Codes tried by all users of one application that knows no addresses. In sandbox off unless set.";
    LIMIT_SENDS_PER_RANGE = Some("20/1h"), false,
        "Codes to numbers that differ in their last four digits only. In sandbox off unless set.";
    LIMIT_SENDS_PER_COUNTRY = Some("500/1h,2000/1d"), false,
        "Codes to one country. In sandbox off unless set.";
    LIMIT_SENDS_TOTAL = Some("1000/1h,5000/1d"), false,
        "Codes at all. In sandbox off unless set.";
    LIMIT_REQUESTS_PER_ADDRESS = Some("120/1m"), false,
        "Requests to send, resend and verify from one address (IPv6: one /64), such as 120/1m, or off.";
    LIMIT_INTROSPECTIONS_PER_ADDRESS = Some("6000/1m"), false,
        "Introspections from one address (IPv6: one /64), apart from the requests above: an application's server asks for all its users. Such as 6000/1m, or off.";
    LIMIT_REQUESTS_PER_APPLICATION = Some("60000/1m"), false,
        "Requests with one application's key, introspections included, in place of the two above. Such as 60000/1m, or off.";
    LIMIT_READS_PER_ADDRESS = Some("600/1m"), false,
        "Looks at sessions, and streams of their events, from one address (IPv6: one /64), apart from the requests above. Such as 600/1m, or off.";
    LIMIT_CONNECTIONS_PER_ADDRESS = Some("256"), false,
        "Open connections from one address (IPv6: one /64), or off. Loopback and TRUSTED_PROXIES have no bound.";
    SHUTDOWN_GRACE = Some("3s"), false,
        "How long after SIGTERM new requests are still taken, 0s to 5s, while /readyz says 503 already.";
    KNOWN_NUMBERS_FOR = Some("90d"), false,
        "How long a number that was verified is known, 1d to 400d, or off: known numbers still get codes where a country or a range is stopped.";
    CONVERSION_BREAKER = None, false,
        "What to do where too few of the codes sent are entered, by country and by range of numbers: enforce stops sends there, monitor writes down what would be stopped, off counts nothing. enforce in live mode, monitor in sandbox when not set.";
    CONVERSION_FLOOR = Some("20%"), false,
        "The share of codes that must be entered, 1% to 90%; and half of the country's own usual share at least.";
    CONVERSION_MIN_SENDS = None, false,
        "Codes to a country within an hour or a day before its share is judged, 5 to 100000. 100 when not set, or half of what its limits let through in an hour if that is less.";
    CONVERSION_MIN_SENDS_PER_RANGE = None, false,
        "The same for a range of numbers; 10 when not set, or half of what its limits let through in an hour if that is less.";
    CONVERSION_GRACE = Some("3m"), false,
        "How long a code may be out before it counts as not entered, 0s to 30m.";
    CONVERSION_COOLDOWN = Some("30m"), false,
        "How long sends stop there the first time, 1m to 1d; twice as long each time it trips again, up to 8h.";
    PRICES_FILE = None, false,
        "File with what a code costs, in CSV: country,channel,price in US dollars; countersign --fetch-prices writes it from Plivo's price list.";
    SPEND_CAP = None, false,
        "US dollars that codes may cost, such as 5/1h,50/1d, which needs PRICES_FILE; or off. Required in live mode; off in sandbox.";
    SPEND_ALERT_AT = Some("80%"), false,
        "The share of a cap that is warned of in the log, 1% to 100%.";
    ACCESS_LIST_FILE = None, false,
        "A file of whom to block and allow, in CSV: access,what,until,reason (docs/protection.md); in force within a second when it has changed.";
    TEST_NUMBERS_FILE = None, false,
        "A file of numbers that nothing is sent to, in CSV: number,code,until,application, 90 days ahead at most (docs/protection.md); read again when it has changed. Their proofs are for PROOF_AUDIENCE with :test behind it.";
    DECISIONS_FOR = Some("14d"), false,
        "How long it is kept what was decided about each send, 1h to 90d, 131072 decisions at most; or off. countersign --decisions shows it.";
    BRAND_NAME = Some("Countersign"), false,
        "The name on the page and in the message, at most 40 characters.";
    BRAND_LOGO_FILE = None, false,
        "An image that stands beside the name on the page, such as a square SVG.";
    THEME_FILE = None, false,
        "A CSS file that the page loads after its own style (docs/theming.md); read again when it has changed.";
    DEFAULT_LOCALE = Some("en"), false,
        "Language of the message when the caller names none, such as en or en_US, and of the page for readers of none of its languages.";
    PAGE_DIR = Some("frontend/dist"), false,
        "Directory of the built page, read once at the start. A release carries the page inside and reads no directory unless this is set.";
    LOG_FORMAT = Some("text"), false,
        "text, or json for one object a line.";
    RUST_LOG = Some("info"), false,
        "What is logged: error, warn, info, debug, or per module as env_logger reads it.";
}

/// The text of `--help`.
pub fn help() -> String {
    let mut text = String::from(
        "countersign: verifies phone numbers by one-time codes\n\n\
         countersign                      serves\n\
         countersign --rotate-proof-key   makes a new key that signs proofs, or the first one\n\
         countersign --new-key shop       makes a key for the application of that id, and shows it once\n\
         countersign --check-config       says whether a start would come about, and changes nothing\n\
         countersign --move-store FROM TO carries sessions and counts from one STORE_URL to another, with the service stopped\n\
         countersign --fetch-prices US,GB writes PRICES_FILE, or prices.csv, from Plivo's price list\n\
         countersign --stop WHAT          stops sends: all, country US or channel voice; checks go on. --start WHAT ends it, --stop alone tells\n\
         countersign --decisions [WORD…] [--csv]  says what was decided about sends, of all that have these words among their fields\n\
         countersign --free +1415…       frees a number of its waits and counts; with --forget erases what is known of it\n\
         countersign --number +1415…     says what is known of a number now, and its name in the log\n\
         countersign --version, --help\n\n\
         Settings come from the environment, or from a file .env in the working directory:\n",
    );
    for variable in VARIABLES {
        text += &format!("\n  {}", variable.name);
        if variable.from_file {
            text += &format!(", or {}_FILE", variable.name);
        }
        if let Some(default) = variable.default {
            text += &format!(" (default {default})");
        }
        text += &format!("\n      {}", variable.meaning);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.env.example` lists every variable in this order, with its default, and
    /// nothing else.
    #[test]
    fn the_example_file_is_this_table() {
        let mut expected = String::from(
            "# Every setting of Countersign, with its default. Copy to .env and change what you need.\n",
        );
        for variable in VARIABLES {
            expected += &format!("\n# {}\n", variable.meaning);
            if variable.from_file {
                expected += &format!(
                    "# {}_FILE names a file that holds it instead.\n",
                    variable.name
                );
            }
            // The only required variable: sandbox is the way to try it.
            match (variable.name, variable.default) {
                ("PLIVO_MODE", _) => expected += "PLIVO_MODE=sandbox\n",
                (name, default) => {
                    expected += &format!("#{name}={}\n", default.unwrap_or_default());
                }
            }
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../.env.example");
        let actual = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(actual, expected, "{path} should read:\n{expected}");
    }
}
