use countersign_shared::Channel;
use secrecy::ExposeSecret;

use super::*;

fn read(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::read(|name| {
        let given = settings.iter().find(|(set, _)| *set == name);
        given.map(|(_, value)| (*value).to_owned())
    })
}

const LIVE: [(&str, &str); 5] = [
    ("PLIVO_MODE", "live"),
    ("PLIVO_AUTH_ID", "MAXXXXXXXXXXXXXXXXXX"),
    ("PLIVO_AUTH_TOKEN", "test_auth_token"),
    ("ALLOWED_COUNTRIES", "US"),
    ("SPEND_CAP", "off"),
];

/// The live settings with some of them replaced.
fn live_but(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [changes, &LIVE].concat()
}

#[test]
fn sandbox_needs_nothing_else() {
    let config = read(&[("PLIVO_MODE", "sandbox")]).unwrap();
    assert!(matches!(config.upstream, Upstream::Sandbox));
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.policy.countries, None);
    assert_eq!(config.policy.channels, [Channel::Sms, Channel::Voice]);
    assert_eq!(config.rules.wait_after(1), Duration::from_secs(30));
    assert_eq!(config.rules.wait_after(9), Duration::from_mins(5));
    assert!(!config.page_required);
}

#[test]
fn live_reads_its_account() {
    let config = read(&LIVE).unwrap();
    let Upstream::Live(account) = config.upstream else {
        panic!("not live");
    };
    assert_eq!(account.base_url, "https://api.plivo.com");
    assert_eq!(account.auth_token.expose_secret(), "test_auth_token");
    assert!(!config.policy.fictitious_numbers);
}

/// What several instances share, but for who says so in their proofs.
const SHARED: [(&str, &str); 3] = [
    ("STORE_URL", "redis://redis"),
    ("SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
    ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
];

#[test]
fn several_instances_name_one_issuer() {
    let shared = |name, value| read(&live_but(&[&SHARED[..], &[(name, value)]].concat()));
    for (name, value) in [
        ("PUBLIC_URL", "https://verify.example.com"),
        ("PROOF_ISSUER", "countersign"),
    ] {
        let proofs = shared(name, value).unwrap().proofs;
        assert_eq!(proofs.issuer.as_deref(), Some(value));
    }
    let refusal = shared("PROOF_AUDIENCE", "shop").map(drop).unwrap_err();
    assert!(refusal.to_string().contains("PROOF_ISSUER"), "{refusal}");
    // One instance over a file needs neither.
    assert_eq!(read(&LIVE).unwrap().proofs.issuer, None);
}

/// As it is shipped.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/prices.sample.csv");

#[test]
fn caps_are_exact_and_need_only_the_prices_of_what_is_sent() {
    let settings = [
        ("PLIVO_MODE", "sandbox"),
        ("ALLOWED_CHANNELS", "sms"),
        ("PRICES_FILE", SAMPLE),
        // Voice is dearer than that.
        ("SPEND_CAP", "0.25/1h, 50.000001/1d"),
    ];
    let spending = read(&settings).unwrap().budget.unwrap();
    let caps: Vec<u64> = spending.caps.iter().map(|cap| cap.count.get()).collect();
    assert_eq!(caps, [250_000, 50_000_001]);
    assert_eq!(spending.alert_at, 80);
    // Prices alone are counted, without a cap.
    let spending = read(&settings[..3]).unwrap().budget.unwrap();
    assert!(spending.caps.is_empty());
    assert!(read(&settings[..1]).unwrap().budget.is_none());
}

#[test]
fn mapped_networks_are_the_networks_they_stand_for() {
    let settings = [
        ("PLIVO_MODE", "sandbox"),
        ("TRUSTED_PROXIES", "::ffff:10.0.0.0/104, 2001:db8::/32"),
    ];
    let proxies = read(&settings).unwrap().trusted_proxies.0;
    let shown: Vec<String> = proxies.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.0/8", "2001:db8::/32"]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn every_mistake_names_its_variable_and_shows_no_secret() {
    let sandbox = |change| vec![("PLIVO_MODE", "sandbox"), change];
    for (variable, settings) in [
        ("PLIVO_MODE", vec![]),
        ("PLIVO_MODE", vec![("PLIVO_MODE", "Live")]),
        ("PLIVO_AUTH_ID", sandbox(("PLIVO_AUTH_ID", "MAXX"))),
        (
            "PLIVO_AUTH_TOKEN",
            sandbox(("PLIVO_AUTH_TOKEN", "test_auth_token")),
        ),
        (
            "PLIVO_AUTH_TOKEN",
            sandbox(("PLIVO_AUTH_TOKEN_FILE", "/nowhere")),
        ),
        (
            "PLIVO_BASE_URL",
            sandbox(("PLIVO_BASE_URL", "https://api.plivo.com")),
        ),
        ("PLIVO_AUTH_ID", live_but(&[("PLIVO_AUTH_ID", "")])),
        ("PLIVO_AUTH_ID", live_but(&[("PLIVO_AUTH_ID", "MA/../XX")])),
        ("PLIVO_AUTH_TOKEN", live_but(&[("PLIVO_AUTH_TOKEN", " ")])),
        (
            "PLIVO_AUTH_TOKEN",
            live_but(&[("PLIVO_AUTH_TOKEN", "test_auth_token with spaces")]),
        ),
        (
            "PLIVO_AUTH_TOKEN",
            live_but(&[("PLIVO_AUTH_TOKEN_FILE", "/nowhere")]),
        ),
        ("PLIVO_APP_UUID", live_but(&[("PLIVO_APP_UUID", "a b")])),
        ("PLIVO_APP_HASH", live_but(&[("PLIVO_APP_HASH", "short")])),
        ("ALLOWED_COUNTRIES", live_but(&[("ALLOWED_COUNTRIES", "")])),
        (
            "ALLOWED_COUNTRIES",
            live_but(&[("ALLOWED_COUNTRIES", "US,UK,ZZ")]),
        ),
        ("ALLOWED_COUNTRIES", live_but(&[("ALLOWED_COUNTRIES", ",")])),
        (
            "PLIVO_BASE_URL",
            live_but(&[("PLIVO_BASE_URL", "http://api.plivo.com")]),
        ),
        (
            "PLIVO_BASE_URL",
            live_but(&[("PLIVO_BASE_URL", "http://localhost.example.com")]),
        ),
        (
            "PLIVO_BASE_URL",
            live_but(&[("PLIVO_BASE_URL", "https://user:test_auth_token@example.com")]),
        ),
        (
            "PLIVO_BASE_URL",
            live_but(&[("PLIVO_BASE_URL", "api.plivo.com")]),
        ),
        ("LISTEN_ADDR", sandbox(("LISTEN_ADDR", "8080"))),
        ("PLIVO_CALLS_AT_ONCE", sandbox(("PLIVO_CALLS_AT_ONCE", "4"))),
        (
            "LIMIT_CONNECTIONS_PER_ADDRESS",
            sandbox(("LIMIT_CONNECTIONS_PER_ADDRESS", "0")),
        ),
        ("SHUTDOWN_GRACE", sandbox(("SHUTDOWN_GRACE", "6s"))),
        (
            "PROOF_AUDIENCE",
            sandbox(("PROOF_AUDIENCE", "countersign:test")),
        ),
        (
            "END_USER_ADDRESSES",
            sandbox(("END_USER_ADDRESSES", "false")),
        ),
        ("METRICS_ADDR", sandbox(("METRICS_ADDR", "none"))),
        ("OTP_LENGTH", sandbox(("OTP_LENGTH", "4"))),
        ("OTP_LENGTH", sandbox(("OTP_LENGTH", "300"))),
        ("SESSION_LIFETIME", sandbox(("SESSION_LIFETIME", "10"))),
        ("SESSION_LIFETIME", sandbox(("SESSION_LIFETIME", "16m"))),
        ("CHECKS_PER_SESSION", sandbox(("CHECKS_PER_SESSION", "0"))),
        ("RESEND_WAITS", sandbox(("RESEND_WAITS", "30s,,0s"))),
        ("RESEND_WAITS", sandbox(("RESEND_WAITS", ","))),
        ("ALLOWED_CHANNELS", sandbox(("ALLOWED_CHANNELS", "sms,sms"))),
        ("ALLOWED_CHANNELS", sandbox(("ALLOWED_CHANNELS", "email"))),
        (
            "LIMIT_REQUESTS_PER_ADDRESS",
            sandbox(("LIMIT_REQUESTS_PER_ADDRESS", "0/1m")),
        ),
        (
            "LIMIT_REQUESTS_PER_ADDRESS",
            sandbox(("LIMIT_REQUESTS_PER_ADDRESS", "many")),
        ),
        (
            "LIMIT_REQUESTS_PER_ADDRESS",
            sandbox(("LIMIT_REQUESTS_PER_ADDRESS", "2000000000/1s")),
        ),
        (
            "LIMIT_INTROSPECTIONS_PER_ADDRESS",
            sandbox(("LIMIT_INTROSPECTIONS_PER_ADDRESS", "1/1m,2/1h")),
        ),
        (
            "LIMIT_SENDS_TOTAL",
            sandbox(("LIMIT_SENDS_TOTAL", "1/1h,2/60m")),
        ),
        (
            "ALLOWED_ORIGINS",
            sandbox(("ALLOWED_ORIGINS", "https://example.com,*")),
        ),
        (
            "LIMIT_NUMBERS_PER_ADDRESS",
            sandbox(("LIMIT_NUMBERS_PER_ADDRESS", "5/1h,1001/1d")),
        ),
        (
            "CONVERSION_BREAKER",
            sandbox(("CONVERSION_BREAKER", "enforced")),
        ),
        ("CONVERSION_FLOOR", sandbox(("CONVERSION_FLOOR", "20"))),
        ("CONVERSION_FLOOR", sandbox(("CONVERSION_FLOOR", "91%"))),
        (
            "CONVERSION_MIN_SENDS",
            sandbox(("CONVERSION_MIN_SENDS", "4")),
        ),
        ("KNOWN_NUMBERS_FOR", sandbox(("KNOWN_NUMBERS_FOR", "1h"))),
        ("CONVERSION_GRACE", sandbox(("CONVERSION_GRACE", "31m"))),
        (
            "CONVERSION_COOLDOWN",
            sandbox(("CONVERSION_COOLDOWN", "59s")),
        ),
        ("PRICES_FILE", sandbox(("PRICES_FILE", "/nowhere"))),
        ("PRICES_FILE", sandbox(("PRICES_FILE", "Cargo.toml"))),
        ("SPEND_CAP", sandbox(("SPEND_CAP", "5/1h"))),
        ("SPEND_CAP", live_but(&[("SPEND_CAP", "")])),
        ("SPEND_CAP", sandbox(("SPEND_CAP", "$5/1h"))),
        ("SPEND_CAP", sandbox(("SPEND_CAP", "0/1h"))),
        (
            "SPEND_CAP",
            vec![
                ("PLIVO_MODE", "sandbox"),
                ("PRICES_FILE", SAMPLE),
                ("SPEND_CAP", "5/1h,0.29/1m"),
            ],
        ),
        ("SPEND_ALERT_AT", sandbox(("SPEND_ALERT_AT", "80%"))),
        ("SPEND_ALERT_AT", sandbox(("SPEND_ALERT_AT", "0%"))),
        ("STORE_URL", sandbox(("STORE_URL", "mysql://a"))),
        ("STORE_URL", sandbox(("STORE_URL", "sqlite:"))),
        (
            "STORE_URL",
            sandbox(("STORE_URL", "redis://:test_auth_token@")),
        ),
        ("SECRET_KEY", sandbox(("STORE_URL", "redis://redis"))),
        (
            "PROOF_SIGNING_KEYS_FILE",
            live_but(&[
                ("STORE_URL", "redis://redis"),
                ("SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
            ]),
        ),
        ("PUBLIC_URL", live_but(&SHARED)),
        (
            "PUBLIC_URL",
            live_but(&[&SHARED[..], &[("PROOF_ISSUER", " ")]].concat()),
        ),
        ("PROOF_LIFETIME", sandbox(("PROOF_LIFETIME", "11m"))),
        ("PUBLIC_URL", sandbox(("PUBLIC_URL", "http://example.com"))),
        (
            "PUBLIC_URL",
            sandbox(("PUBLIC_URL", "https://example.com/verify")),
        ),
        (
            "ALLOWED_ORIGINS",
            sandbox(("ALLOWED_ORIGINS", "capacitor://localhost/")),
        ),
        (
            "EMBED_ORIGINS",
            sandbox(("EMBED_ORIGINS", "capacitor://localhost")),
        ),
        (
            "RETURN_URLS",
            sandbox(("RETURN_URLS", "intent://scan/#Intent;end")),
        ),
        (
            "ALLOWED_COUNTRIES",
            live_but(&[("ALLOWED_COUNTRIES", "US,-RU")]),
        ),
        (
            "ALLOWED_COUNTRIES",
            live_but(&[("ALLOWED_COUNTRIES", "*,RU")]),
        ),
        (
            "ALLOWED_COUNTRIES",
            live_but(&[("ALLOWED_COUNTRIES", "-RU")]),
        ),
        ("SECRET_KEY", sandbox(("SECRET_KEY", "c2hvcnQ="))),
        ("BRAND_NAME", sandbox(("BRAND_NAME", "a\nb"))),
        ("DEFAULT_LOCALE", sandbox(("DEFAULT_LOCALE", "english"))),
        ("LOG_FORMAT", sandbox(("LOG_FORMAT", "xml"))),
    ] {
        let message = read(&settings).map(drop).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("{variable}: ")),
            "{settings:?}: {message}"
        );
        assert!(
            !message.contains("test_auth_token") && !message.contains('\n'),
            "{message}"
        );
    }
}

#[test]
fn a_service_has_a_host_of_its_own() {
    let public_url = |url: &str| read(&[("PLIVO_MODE", "sandbox"), ("PUBLIC_URL", url)]);
    for (url, kept) in [
        ("https://verify.example.com", "https://verify.example.com"),
        ("https://verify.example.com/", "https://verify.example.com"),
        (
            "https://Verify.Example.com:443",
            "https://verify.example.com",
        ),
        ("http://localhost:8080/", "http://localhost:8080"),
    ] {
        let config = public_url(url).unwrap();
        assert_eq!(config.public_url.as_deref(), Some(kept));
        assert_eq!(config.proofs.issuer.as_deref(), Some(kept));
    }
    for path in ["verify", "verify/", "a/b", "?", "#", "//"] {
        let url = format!("https://example.com/{path}");
        let message = public_url(&url).map(drop).unwrap_err().to_string();
        let said = path == "?" || path == "#" || message.contains("a host of its own");
        assert!(said && !message.contains('\n'), "{message}");
    }
}

#[test]
fn every_country_but_some_and_hints_for_codes_of_other_lists() {
    let countries = |list: &'static str| {
        let config = read(&live_but(&[("ALLOWED_COUNTRIES", list)]));
        config
            .map(|config| config.policy)
            .map_err(|error| error.to_string())
    };
    let policy = countries("*, -RU,-by").unwrap();
    assert!(policy.serves("US") && policy.serves("GB") && policy.serves("KZ"));
    assert!(!policy.serves("RU") && !policy.serves("BY"));
    assert_eq!(countries("*").unwrap().countries, None);
    for (list, hint) in [
        ("US,UK", "GB is"),
        ("*,-UK", "GB is"),
        ("EL", "GR is"),
        ("usa", "US is"),
        ("US,ZZ", "such as US,GB"),
    ] {
        let message = countries(list).map(drop).unwrap_err();
        assert!(message.contains(hint), "{message}");
    }
}

#[test]
fn without_a_mode_both_ways_out_are_named() {
    let message = read(&[]).map(drop).unwrap_err().to_string();
    assert!(message.contains("sandbox") && message.contains("live"));
}

#[test]
fn a_secret_can_come_from_a_file() {
    let path = std::env::temp_dir().join(format!("countersign-token-{}", std::process::id()));
    std::fs::write(&path, "token_of_the_file\n").unwrap();
    let path = path.to_str().unwrap();
    let settings = |name: &str| match name {
        "PLIVO_AUTH_TOKEN" => None,
        "PLIVO_AUTH_TOKEN_FILE" => Some(path.to_owned()),
        _ => LIVE
            .iter()
            .find(|(set, _)| *set == name)
            .map(|(_, value)| (*value).to_owned()),
    };
    let config = Config::read(settings);
    std::fs::remove_file(path).unwrap();
    let Upstream::Live(account) = config.unwrap().upstream else {
        panic!("not live");
    };
    assert_eq!(account.auth_token.expose_secret(), "token_of_the_file");
}

#[test]
fn debug_shows_no_token_and_no_password() {
    let settings = live_but(&[
        ("STORE_URL", "redis://me:test_auth_token@redis"),
        ("SECRET_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
        ("PROOF_ISSUER", "countersign"),
    ]);
    let shown = format!("{:?}", read(&settings).unwrap());
    assert!(!shown.contains("test_auth_token") && !shown.contains("AAECAwQF"));
    assert!(shown.contains("redis:6379"));
}

#[test]
fn the_breaker_judges_what_the_limits_let_through() {
    let rule = |settings: &[(&'static str, &'static str)]| {
        let config = read(&live_but(settings)).unwrap();
        let rule = config.rules.conversion.unwrap();
        let get = |min: Option<NonZeroU32>| min.map_or(0, NonZeroU32::get);
        (get(rule.min_per_country), get(rule.min_per_range))
    };
    assert_eq!(rule(&[]), (100, 10));
    assert_eq!(rule(&[("LIMIT_SENDS_PER_COUNTRY", "30/1h")]), (15, 10));
    assert_eq!(rule(&[("LIMIT_SENDS_PER_RANGE", "12/1h")]), (100, 6));
    // Less than a judgement needs: the limit alone bounds it.
    assert_eq!(rule(&[("LIMIT_SENDS_PER_RANGE", "3/1d")]), (100, 0));
    // A count that is never reached is a mistake.
    for (variable, limit) in [
        ("CONVERSION_MIN_SENDS", "LIMIT_SENDS_PER_COUNTRY"),
        ("CONVERSION_MIN_SENDS", "LIMIT_SENDS_TOTAL"),
        ("CONVERSION_MIN_SENDS_PER_RANGE", "LIMIT_SENDS_PER_RANGE"),
    ] {
        let settings = live_but(&[(variable, "30"), (limit, "29/1d")]);
        let error = read(&settings).unwrap_err();
        assert_eq!(error.variable, variable);
        assert!(error.problem.contains("29 codes"), "{error}");
    }
}

#[test]
fn the_breaker_stops_sends_in_live_mode_and_only_watches_in_sandbox() {
    let enforced = |settings: &[(&str, &str)]| {
        let rule = read(settings).unwrap().rules.conversion;
        rule.unwrap().enforced
    };
    assert!(enforced(&live_but(&[])));
    assert!(!enforced(&live_but(&[("CONVERSION_BREAKER", "monitor")])));
    assert!(!enforced(&[("PLIVO_MODE", "sandbox")]));
}
