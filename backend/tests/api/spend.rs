//! Prices, charges and caps, and what the operator sees of them.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use countersign_shared::Channel;
use plivo_simulator::{Settings, Simulator};
use serde_json::json;

use crate::{
    app::{Session, TestApp, TestStore, start_app},
    applications::ApplicationsFile,
};

/// Prices that differ from the simulator's charges, to tell the expected price from the
/// charge.
const PRICES: &str = "country,channel,price
US,sms,0.01
US,voice,0.02
GB,sms,0.05
*,sms,0.1
*,voice,0.3
*,whatsapp,0.2
";

/// A price file, deleted when dropped.
struct PricesFile(tempfile::TempDir);

impl PricesFile {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("prices.csv"), PRICES).unwrap();
        Self(directory)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("prices.csv")
    }
}

/// Starts in sandbox mode, with prices and these settings.
pub(crate) async fn start(settings: &[(&str, &str)]) -> TestApp {
    start_in(TestStore::usual(), settings).await
}

async fn start_in(store: TestStore, settings: &[(&str, &str)]) -> TestApp {
    let prices = PricesFile::new();
    let path = prices.path().display().to_string();
    let fixed = [
        ("PRICES_FILE", path.as_str()),
        ("METRICS_ADDR", "127.0.0.1:0"),
        ("ALLOWED_CHANNELS", "sms,voice,whatsapp"),
        ("RESEND_WAITS", "1s"),
        // Sessions are read until all charges are known.
        ("LIMIT_READS_PER_ADDRESS", "off"),
    ];
    // Read at the start only.
    TestApp::start_in(store, &[&fixed, settings].concat()).await
}

/// Fictitious numbers, none of which has a special meaning in the simulator.
pub(crate) fn number(index: u32) -> String {
    assert!(index < 88);
    format!("+141555501{index:02}")
}

/// The Bundesnetzagentur reserves 0171 39200 00 to 99 for fiction.
fn german(index: u32) -> String {
    format!("+4917139200{index:02}")
}

/// The values of a family of metrics, by country and channel.
pub(crate) fn costs(text: &str, name: &str) -> BTreeMap<(String, String), u64> {
    let start = format!("countersign_{name}_microdollars_total{{country=\"");
    let lines = text.lines().filter_map(|line| line.strip_prefix(&start));
    lines
        .map(|line| {
            let (country, rest) = line.split_once("\",channel=\"").unwrap();
            let (channel, value) = rest.split_once("\"} ").unwrap();
            let place = (country.to_owned(), channel.to_owned());
            (place, value.parse().unwrap())
        })
        .collect()
}

pub(crate) fn remaining(text: &str, per: &str) -> i64 {
    let start = format!("countersign_spend_cap_remaining_microdollars{{per=\"{per}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap().parse().unwrap()
}

/// The simulator's charges, in millionths of a dollar.
pub(crate) fn bill(simulator: &Simulator) -> BTreeMap<(String, String), u64> {
    let mut bill = BTreeMap::new();
    for line in simulator.bill().into_iter().filter(|line| line.charge > 0) {
        let place = (line.country.to_owned(), line.channel);
        *bill.entry(place).or_default() += u64::from(line.charge) * 10;
    }
    bill
}

/// Reads each session until Plivo has reported its charges. Each instance polls at most
/// ten times a second.
async fn look_at(app: &TestApp, sessions: &[Session]) {
    for _ in 0..100 {
        for session in sessions {
            app.session(session).await.ok();
        }
        if costs(&app.metrics().await, "spend_charged") == bill(app.simulator()) {
            return;
        }
        app.advance(Duration::from_secs(3));
    }
}

#[actix_web::test]
async fn the_bill_is_what_the_metrics_say() {
    let app = start(&[("SPEND_CAP", "5/1h,100/1d")]).await;
    let mut sessions = Vec::new();
    let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut went = |country: &str, channel: Channel, price: u64| {
        let place = (country.to_owned(), channel.to_string());
        *expected.entry(place).or_default() += price;
    };
    for index in 0..8_u32 {
        for (recipient, country, sms, voice) in [
            (number(index), "US", 10_000, 20_000),
            (format!("+4477009001{index:02}"), "GB", 50_000, 300_000),
            (german(index), "DE", 100_000, 300_000),
        ] {
            let session = app.sent(&recipient).await;
            went(country, Channel::Sms, sms);
            if index % 4 == 1 {
                app.advance(Duration::from_secs(1));
                let body = json!({"session_uuid": session.id, "channel": "voice"});
                app.post("/api/otp/resend", &body).await.ok();
                went(country, Channel::Voice, voice);
            }
            if index % 4 == 2 {
                app.verify(&session, &session.otp).await.ok();
            }
            sessions.push(session);
        }
    }
    // Refused before the call to Plivo: it costs nothing.
    app.send(&number(7)).await.problem(429, "rate_limited");
    let text = app.metrics().await;
    assert_eq!(costs(&text, "spend_expected"), expected);
    let sum: u64 = expected.values().sum();
    assert!(text.contains("countersign_spend_cap_microdollars{per=\"1day\"} 100000000"));
    // Once Plivo reports the charges, they replace the expected prices, each once.
    for _ in 0..2 {
        look_at(&app, &sessions).await;
        app.app.sweep().await;
        let text = app.metrics().await;
        assert_eq!(costs(&text, "spend_charged"), bill(app.simulator()));
        assert_eq!(costs(&text, "spend_expected"), expected);
        let charged: u64 = bill(app.simulator()).values().sum();
        assert_ne!(charged, sum);
        for (per, cap) in [("1h", 5_000_000), ("1day", 100_000_000)] {
            assert_eq!(remaining(&text, per), cap - charged.cast_signed(), "{per}");
        }
    }
    let lines = app.simulator().bill();
    assert_eq!(lines.iter().filter(|line| line.charge > 0).count(), 30);
}

#[actix_web::test]
async fn a_check_that_costs_is_on_the_bill_and_what_is_blocked_is_not() {
    let plivo = Settings {
        validation_charge: 5_000,
        ..Settings::new("MAXXXXXXXXXXXXXXXXXX", "test_auth_token")
    };
    let simulator = Simulator::start(plivo).unwrap();
    let prices = PricesFile::new();
    let path = prices.path().display().to_string();
    let settings = [
        ("PRICES_FILE", path.as_str()),
        ("SPEND_CAP", "1/1h"),
        ("METRICS_ADDR", "127.0.0.1:0"),
    ];
    let app = TestApp::start_live(&simulator.base_url(), &settings).await;
    let mut sessions = Vec::new();
    // Fraud Shield blocks the second.
    for recipient in [german(1), german(93)] {
        let answer = app.send(&recipient).await.ok();
        sessions.push(Session {
            id: answer["session_uuid"].as_str().unwrap().to_owned(),
            otp: simulator.messages()[0].otp.clone(),
        });
    }
    app.verify(&sessions[0], &sessions[0].otp).await.ok();
    for session in &sessions {
        app.session(session).await.ok();
    }
    app.app.sweep().await;
    let text = app.metrics().await;
    let charged = costs(&text, "spend_charged");
    assert_eq!(charged, bill(&simulator));
    let of = |channel: &str| charged[&("DE".to_owned(), channel.to_owned())];
    assert_eq!((of("sms"), of("validation")), (92_750, 50_000));
    // The blocked one has no charge, so its expected price stands.
    let spent = 92_750 + 50_000 + 100_000;
    assert_eq!(remaining(&text, "1h"), 1_000_000 - spent);
}

#[actix_web::test]
async fn a_full_cap_stops_sends_and_resends_and_no_check() {
    let app = start(&[("SPEND_CAP", "0.3/1h")]).await;
    // Thirty codes at a cent each.
    let mut sessions = Vec::new();
    for index in 0..30 {
        sessions.push(app.sent(&number(index)).await);
    }
    app.advance(Duration::from_secs(1));
    let answer = app.send(&number(31)).await;
    let problem = answer.problem(429, "rate_limited");
    // The end of the bucket in which the first was counted, rounded up.
    let seconds = problem["retry_after"].as_u64().unwrap();
    assert!(
        (3600..=3660).contains(&seconds) && seconds % 60 == 0,
        "{seconds}"
    );
    assert_eq!(problem["limit"], "service_protection");
    for word in ["spend", "cap", "cost"] {
        assert!(!answer.text.contains(word), "{}", answer.text);
    }
    app.resend(&sessions[0]).await.problem(429, "rate_limited");
    assert_eq!(app.simulator().calls().create, 30);
    app.verify(&sessions[0], &sessions[0].wrong_otp())
        .await
        .problem(400, "otp_incorrect");
    app.verify(&sessions[0], &sessions[0].otp).await.ok();
    let text = app.metrics().await;
    assert!(text.contains("countersign_refusals_total{rule=\"spend_cap\"} 2"));
    assert_eq!(remaining(&text, "1h"), 0);
    app.advance(Duration::from_secs(seconds));
    app.send(&number(31)).await.ok();
    // The metric follows the passing window even without sends.
    app.advance(Duration::from_hours(2));
    app.app.sweep().await;
    assert_eq!(remaining(&app.metrics().await, "1h"), 300_000);
}

#[actix_web::test]
async fn what_plivo_charges_more_counts_against_the_cap_at_once() {
    // The expected price is one cent for a message and two for a call; the simulator
    // charges 0.7 and 1.2.
    let app = start(&[("SPEND_CAP", "0.3/1h")]).await;
    let session = app.sent(&number(1)).await;
    app.session(&session).await.ok();
    app.app.sweep().await;
    assert_eq!(remaining(&app.metrics().await, "1h"), 293_000);
    // Repeated reads change nothing.
    for _ in 0..5 {
        app.advance(Duration::from_secs(3));
        app.session(&session).await.ok();
    }
    app.app.sweep().await;
    assert_eq!(remaining(&app.metrics().await, "1h"), 293_000);
}

#[actix_web::test]
async fn what_never_left_costs_nothing() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let prices = PricesFile::new();
    let path = prices.path().display().to_string();
    let settings = [
        ("PRICES_FILE", path.as_str()),
        ("SPEND_CAP", "0.3/1h"),
        ("METRICS_ADDR", "127.0.0.1:0"),
    ];
    let app = TestApp::start_live(&base_url, &settings).await;
    for index in 0..3 {
        app.send(&german(index))
            .await
            .problem(503, "temporarily_unavailable");
    }
    // Three of them would have filled the cap.
    app.app.sweep().await;
    let text = app.metrics().await;
    assert_eq!(remaining(&text, "1h"), 300_000);
    assert!(costs(&text, "spend_expected").is_empty());
}

#[actix_web::test]
async fn a_restart_keeps_the_books() {
    for store in [TestStore::file(), TestStore::new_redis()] {
        let settings = [("SPEND_CAP", "0.3/1h"), ("CONVERSION_BREAKER", "enforce")];
        let app = start_in(store, &settings).await;
        let mut sessions = Vec::new();
        for index in 0..30 {
            sessions.push(app.sent(&number(index)).await);
        }
        let home = app.store.settings();
        let prices = PricesFile::new();
        let path = prices.path().display().to_string();
        let mut all: Vec<(&str, &str)> = vec![
            ("PLIVO_MODE", "sandbox"),
            ("LIMIT_REQUESTS_PER_ADDRESS", "off"),
            ("PRICES_FILE", &path),
        ];
        all.extend(home.iter().map(|(name, value)| (*name, value.as_str())));
        all.extend(settings);
        let (app, clock, _home) = (app.app, app.clock, app.store);
        app.stop().await;
        let again = start_app(&all, clock.clone()).await;
        let send = async |index: u32| {
            let url = format!("http://{}/api/otp/send", again.address());
            let body = json!({"recipient": number(index)});
            let answer = crate::app::http().post(url).json(&body).send().await;
            crate::app::Answer::read(answer.unwrap()).await
        };
        // The budget is spent.
        let problem = send(40).await.problem(429, "rate_limited");
        assert!(problem["retry_after"].as_u64().unwrap() > 3000);
        // Nor has anybody entered a code. Both rules apply, and the longer wait is
        // reported.
        clock.advance(Duration::from_mins(59));
        send(40).await.problem(429, "rate_limited");
        clock.advance(Duration::from_mins(2));
        let problem = send(40).await.problem(429, "rate_limited");
        assert_eq!(problem["retry_after"], 28 * 60, "{problem}");
        again.stop().await;
    }
}

#[actix_web::test]
async fn without_prices_nothing_is_asked_or_counted() {
    let app = TestApp::start_with(&[("METRICS_ADDR", "127.0.0.1:0")]).await;
    let session = app.sent(&number(1)).await;
    app.advance(Duration::from_secs(3));
    app.session(&session).await.ok();
    app.app.sweep().await;
    let text = app.metrics().await;
    assert!(!text.contains("microdollars_total{") && !text.contains("remaining_microdollars{"));
}

/// What is left of an application's own cap, while there is one.
fn left_of_shop(text: &str) -> Option<i64> {
    let name = "countersign_application_spend_cap_remaining_microdollars";
    let start = format!("{name}{{application=\"shop\",per=\"1h\"}} ");
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(&start))?;
    Some(value.parse().unwrap())
}

#[actix_web::test]
async fn an_applications_own_budget_is_a_metric_also_without_one_for_all() {
    let origin = "origins = [\"https://shop.example\"]";
    let with_cap = format!("spend_cap = \"1/1h\"\n{origin}");
    let file = ApplicationsFile::of(&[("shop", &with_cap), ("bank", origin)]);
    let app = start(&[("APPLICATIONS_FILE", file.path())]).await;
    let session = app.sent(&number(1)).await;
    let text = app.metrics().await;
    let cap =
        "countersign_application_spend_cap_microdollars{application=\"shop\",per=\"1h\"} 1000000";
    assert!(text.lines().any(|line| line == cap), "{text}");
    assert_eq!(left_of_shop(&text), Some(1_000_000 - 10_000));
    // What Plivo charges comes in the place of what was expected.
    look_at(&app, &[session]).await;
    app.app.sweep().await;
    let charged: u64 = bill(app.simulator()).values().sum();
    assert_ne!(charged, 10_000);
    let left = left_of_shop(&app.metrics().await);
    assert_eq!(left, Some(1_000_000 - charged.cast_signed()));
    // An application without a cap has no metric, nor one that has it no more.
    assert!(!app.metrics().await.contains("application=\"bank\""));
    file.write(&crate::applications::text(&[("shop", origin)]));
    app.app.reload_applications();
    assert_eq!(left_of_shop(&app.metrics().await), None);
}
