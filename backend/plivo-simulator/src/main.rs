//! The simulator as a program.

use std::{process::ExitCode, time::Duration};

use plivo_simulator::{Settings, SignatureVersion, Simulator, TABLE};

#[tokio::main]
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program's answers"
)]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{}", help());
        return ExitCode::SUCCESS;
    }
    let settings = match settings(&arguments) {
        Ok(settings) => settings,
        Err(problem) => {
            eprintln!("plivo-simulator: {problem}; see --help");
            return ExitCode::from(2);
        }
    };
    let account = settings.auth_id.clone();
    match Simulator::start(settings) {
        Ok(simulator) => {
            println!("Plivo Verify is pretended at {}", simulator.base_url());
            println!(
                "Account {account}; messages at {}/_messages",
                simulator.base_url()
            );
            tokio::signal::ctrl_c().await.ok();
            simulator.stop().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("plivo-simulator: cannot listen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn settings(arguments: &[String]) -> Result<Settings, String> {
    let mut settings = Settings {
        listen: ([127, 0, 0, 1], 8090).into(),
        ..Settings::default()
    };
    for pair in arguments.chunks(2) {
        let [option, value] = pair else {
            return Err(format!("{} needs a value", pair[0]));
        };
        set(&mut settings, option, value)
            .ok_or_else(|| format!("{option} {value} is not an option with its value"))?;
    }
    Ok(settings)
}

fn set(settings: &mut Settings, option: &str, value: &str) -> Option<()> {
    match option {
        "--listen" => settings.listen = value.parse().ok()?,
        "--auth-id" => value.clone_into(&mut settings.auth_id),
        "--auth-token" => value.clone_into(&mut settings.auth_token),
        "--brand-name" => value.clone_into(&mut settings.brand_name),
        "--lifetime" => settings.session_lifetime = Duration::from_secs(value.parse().ok()?),
        "--otp-length" => {
            settings.otp_length = value
                .parse()
                .ok()
                .filter(|length| (4..=8).contains(length))?;
        }
        "--max-attempts" => settings.max_attempts = value.parse().ok()?,
        "--max-validations" => settings.max_validations = value.parse().ok()?,
        "--replay" => replay(settings, value)?,
        "--speed" => settings.speed = value.parse().ok().filter(|speed| *speed > 0.0)?,
        "--signature" => {
            settings.signature = match value {
                "v2" => SignatureVersion::V2,
                "v3" => SignatureVersion::V3,
                _ => return None,
            }
        }
        _ => return None,
    }
    Some(())
}

fn replay(settings: &mut Settings, file: &str) -> Option<()> {
    let recording = std::fs::read_to_string(file).ok()?;
    settings.replay(&recording).ok()
}

fn help() -> String {
    let settings = Settings::default();
    let mut text = format!(
        "plivo-simulator: a local stand-in for Plivo Verify; nothing is really sent\n\n\
         Options, each with a value:\n  \
         --listen ADDRESS        where to listen (127.0.0.1:8090)\n  \
         --auth-id ID            the account ({})\n  \
         --auth-token TOKEN      its password ({})\n  \
         --brand-name NAME       in messages when the request names none ({})\n  \
         --lifetime SECONDS      a session's life ({})\n  \
         --otp-length DIGITS     4 to 8 ({})\n  \
         --max-attempts COUNT    deliveries in a session ({})\n  \
         --max-validations COUNT checks in a session ({})\n  \
         --speed FACTOR          how much faster than real time deliveries go (1)\n  \
         --signature v2|v3       how callbacks are signed (v2)\n  \
         --replay FILE           behave as a recording of countersign --try-plivo says\n\n\
         The recipient's last two digits steer what happens:\n",
        settings.auth_id,
        settings.auth_token,
        settings.brand_name,
        settings.session_lifetime.as_secs(),
        settings.otp_length,
        settings.max_attempts,
        settings.max_validations,
    );
    for (digits, _, meaning) in TABLE {
        text += &format!("  {digits}  {meaning}\n");
    }
    text += "  any others: delivered within two seconds\n\n\
             GET /_messages shows what the pretend phones received, newest first\n\
             (?recipient= filters).\n\n\
             Plivo's SDKs: in Python set plivo.rest.client.PLIVO_API_BASE_URI to\n\
             http://ADDRESS/v1/Account; in Node pass url: http://ADDRESS/v1/Account/ID.";
    text
}
