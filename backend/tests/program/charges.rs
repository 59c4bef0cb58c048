//! Charges that a process had to collect are collected after it was killed, also where the
//! store fails at first.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use countersign_backend::{app::App, config::Config};
use countersign_platform::clock::{Clock, SystemClock};
use countersign_test_support::http;
use plivo_simulator::{Settings, Simulator};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::Program;

const MINUTE: Duration = Duration::from_mins(1);

/// The machine's clock, so many seconds later.
struct Later(SystemClock, AtomicU64);

impl Clock for Later {
    fn now(&self) -> SystemTime {
        self.0.now() + Duration::from_secs(self.1.load(Ordering::SeqCst))
    }
}

/// What Plivo charged, in millionths of a dollar.
fn bill(simulator: &Simulator) -> u64 {
    let charges = simulator.bill().into_iter();
    charges.map(|line| u64::from(line.charge) * 10).sum()
}

/// What the service knows to be charged.
async fn charged(app: &App) -> u64 {
    let url = format!("http://{}/metrics", app.metrics_address().unwrap());
    let text = http().get(url).send().await.unwrap().text().await.unwrap();
    let charged = text
        .lines()
        .filter(|line| line.starts_with("countersign_spend_charged_microdollars_total{"));
    charged
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

#[tokio::test]
async fn the_bill_is_complete_after_the_process_was_killed_that_had_sent_the_codes() {
    let simulator = Simulator::start(Settings {
        validation_charge: 300,
        ..Settings::default()
    })
    .unwrap();
    let account = Settings::default();
    let program = Program::new("charges");
    let store_url = format!("sqlite:{}/countersign.db", program.directory.display());
    let base_url = simulator.base_url();
    let settings = [
        ("PLIVO_MODE", "live"),
        ("PLIVO_AUTH_ID", account.auth_id.as_str()),
        ("PLIVO_AUTH_TOKEN", account.auth_token.as_str()),
        ("PLIVO_BASE_URL", base_url.as_str()),
        ("ALLOWED_COUNTRIES", "*"),
        ("SPEND_CAP", "off"),
        ("STORE_URL", store_url.as_str()),
        ("LIMIT_SENDS_PER_ADDRESS", "off"),
        ("LIMIT_NUMBERS_PER_ADDRESS", "off"),
    ];
    // Two lives, killed before anything was collected.
    for life in 0..2 {
        let running = program.start(&settings);
        let http = http();
        let post = async |path: &str, body: Value| -> Value {
            let url = format!("http://{}{path}", running.address);
            let answer = http.post(url).json(&body).send().await.unwrap();
            answer.json().await.unwrap()
        };
        for index in 0..9 {
            let recipient = format!("+141555501{life}{index}");
            let sent = post("/api/otp/send", json!({"recipient": recipient})).await;
            let session = sent["session_uuid"]
                .as_str()
                .unwrap_or_else(|| panic!("{sent}"));
            if index % 2 == 0 {
                let otp = simulator.messages()[0].otp.clone();
                let check = json!({"session_uuid": session, "otp": otp});
                let verified = post("/api/otp/verify", check).await;
                assert!(verified["proof"].is_string(), "{verified}");
            }
        }
        running.signal("-KILL");
        running.ended();
    }
    assert_eq!(simulator.messages().len(), 18);

    let config = Config::read(|name| {
        let given = settings.iter().find(|(set, _)| *set == name);
        let value = match name {
            "LISTEN_ADDR" | "METRICS_ADDR" => Some("127.0.0.1:0"),
            _ => given.map(|(_, value)| *value),
        };
        value.map(str::to_owned)
    });
    let clock = Arc::new(Later(SystemClock::default(), AtomicU64::new(0)));
    let app = App::start_at(config.unwrap(), clock.clone()).await.unwrap();
    assert_eq!(charged(&app).await, 0);
    // At first, one of the rows cannot be read.
    let file = Connection::open(program.directory.join("countersign.db")).unwrap();
    let set_version = |version: &str| {
        let sql = format!(
            "UPDATE row SET value = CAST(x'{version}' || substr(value, 2) AS BLOB)
             WHERE id = (SELECT min(id) FROM row WHERE key LIKE 'charge/%')"
        );
        assert_eq!(file.execute(&sql, []).unwrap(), 1);
    };
    set_version("ff");
    for minute in 0..90 {
        if minute == 5 {
            set_version("01");
        }
        clock.1.fetch_add(MINUTE.as_secs(), Ordering::SeqCst);
        simulator.advance(MINUTE);
        app.sweep().await;
    }
    let bill = bill(&simulator);
    assert!(bill > 0);
    assert_eq!(charged(&app).await, bill);
    // As often as if nothing had happened.
    assert!(simulator.calls().retrieve <= 18 * 4);
    app.stop().await;
}
