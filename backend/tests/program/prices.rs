//! `--fetch-prices`: creates the price file from Plivo's own list.

use super::Program;

async fn fetch(program: &Program, countries: &str, base_url: &str) -> (bool, String) {
    let account = plivo_simulator::Settings::default();
    let settings = [
        ("PLIVO_MODE", "live"),
        ("PLIVO_AUTH_ID", account.auth_id.as_str()),
        ("PLIVO_AUTH_TOKEN", account.auth_token.as_str()),
        ("PLIVO_BASE_URL", base_url),
        ("PRICES_FILE", "prices.csv"),
    ];
    let mut command = program.command(&settings);
    command.args(["--fetch-prices", countries]);
    // The simulator must be able to answer meanwhile.
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn the_price_file_is_written_from_plivos_list_and_the_service_starts_with_it() {
    let simulator =
        plivo_simulator::Simulator::start(plivo_simulator::Settings::default()).unwrap();
    let program = Program::new("prices");
    let (is_done, text) = fetch(&program, "us, GB", &simulator.base_url()).await;
    assert!(is_done && text.contains("2 countries"), "{text}");
    let path = program.directory.join("prices.csv");
    let prices = std::fs::read_to_string(&path).unwrap();
    // The most expensive network of each country.
    for line in [
        "US,sms,0.008250",
        "GB,sms,0.063000",
        "*,sms,0.063000",
        "US,voice,0.100000",
    ] {
        assert!(prices.lines().any(|it| it == line), "{line} in {prices}");
    }
    let settings = [
        ("PLIVO_MODE", "sandbox"),
        ("PRICES_FILE", "prices.csv"),
        ("SPEND_CAP", "5/1d"),
    ];
    let mut command = program.command(&settings);
    assert!(command.arg("--check-config").status().unwrap().success());

    // The existing file stays if Plivo lists no price.
    let (is_done, text) = fetch(&program, "US,CH", &simulator.base_url()).await;
    assert!(!is_done && text.contains("CH"), "{text}");
    let (is_done, text) = fetch(&program, "UK", &simulator.base_url()).await;
    assert!(!is_done && text.contains("ISO country codes"), "{text}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), prices);
}
